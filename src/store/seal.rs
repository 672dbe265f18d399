//! Sealing: bytes that only the holder of a key can read or make.
//!
//! ChaCha20-Poly1305 (RFC 8439) with a random nonce. Before the ciphertext stands, in clear:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | magic |
//! | 1 | version |
//! | 8 | key id: the first bytes of the key's SHA-256 |
//! | 12 | nonce |
//!
//! This header and the caller's associated data are authenticated with the rest, so that sealed bytes
//! open neither altered nor in another place than the one they were sealed for.

use std::io;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::secret::Secret;

/// A key to seal and to open with.
pub(crate) type Key = Secret<[u8; KEY_LEN]>;

/// The length of a key.
pub(crate) const KEY_LEN: usize = 32;

/// How many bytes sealing adds.
pub(crate) const OVERHEAD: usize = HEADER_LEN + 16;

const MAGIC: [u8; 8] = *b"oauthctl";
/// The version that is written; there is no older one.
const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 8;
const NONCE_AT: usize = MAGIC.len() + 1 + KEY_ID_LEN;
const HEADER_LEN: usize = NONCE_AT + NONCE_LEN;

/// Why sealed bytes don't open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// They are torn or altered, or were never sealed for this place.
    Corrupt,
    /// They were sealed with another key.
    WrongKey,
    /// They have a version that this program doesn't know yet.
    Newer,
}

/// Bytes that nobody can guess.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| io::Error::other("the system gives no random numbers"))?;
    Ok(bytes)
}

/// Makes a key.
pub(crate) fn generate_key() -> io::Result<Key> {
    random().map(Secret::new)
}

/// Seals `plaintext` for the place that `aad` names.
///
/// That a random nonce ever comes twice stays less likely than 1 in 2³² for the first 2³² seals with
/// one key: one every second for more than a century.
pub(crate) fn seal(key: &Key, aad: &[u8], plaintext: &[u8]) -> io::Result<Vec<u8>> {
    let nonce = random()?;
    let mut sealed = Vec::with_capacity(OVERHEAD + plaintext.len());
    sealed.extend_from_slice(&MAGIC);
    sealed.push(VERSION);
    sealed.extend_from_slice(&key_id(key));
    sealed.extend_from_slice(&nonce);
    let aad = Aad::from([&sealed, aad].concat());
    sealed.extend_from_slice(plaintext);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = cipher(key)
        .seal_in_place_separate_tag(nonce, aad, &mut sealed[HEADER_LEN..])
        .map_err(|_| io::Error::other("too much to seal"))?;
    sealed.extend_from_slice(tag.as_ref());
    Ok(sealed)
}

/// Opens what was sealed with this key for the place that `aad` names.
pub(crate) fn open(key: &Key, aad: &[u8], mut sealed: Vec<u8>) -> Result<Secret<Vec<u8>>, Broken> {
    match sealed.strip_prefix(&MAGIC).and_then(<[u8]>::first) {
        Some(&VERSION) => {}
        // A newer form need not be like ours in anything that follows.
        Some(&version) if version > VERSION => return Err(Broken::Newer),
        _ => return Err(Broken::Corrupt),
    }
    let header: [u8; HEADER_LEN] = *sealed.first_chunk().ok_or(Broken::Corrupt)?;
    if header[MAGIC.len() + 1..NONCE_AT] != key_id(key) {
        return Err(Broken::WrongKey);
    }
    let nonce =
        Nonce::try_assume_unique_for_key(&header[NONCE_AT..]).map_err(|_| Broken::Corrupt)?;
    let aad = Aad::from([&header, aad].concat());
    // The plaintext takes the ciphertext's place, so that there is no second copy of it.
    let len = cipher(key)
        .open_within(nonce, aad, &mut sealed, HEADER_LEN..)
        .map_err(|_| Broken::Corrupt)?
        .len();
    sealed.truncate(len);
    Ok(Secret::new(sealed))
}

fn cipher(key: &Key) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key.expose());
    LessSafeKey::new(key.expect("the length of the key is the cipher's"))
}

fn key_id(key: &Key) -> [u8; KEY_ID_LEN] {
    let hash = digest(&SHA256, key.expose());
    *hash.as_ref().first_chunk().expect("SHA-256 is longer than the id")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Secret::new([byte; KEY_LEN])
    }

    fn open_error(key: &Key, aad: &[u8], sealed: &[u8]) -> Broken {
        open(key, aad, sealed.to_vec()).unwrap_err()
    }

    #[test]
    fn what_is_sealed_opens_whatever_its_length() {
        for len in [0, 1, 15, 16, 17, 4096, 100_000] {
            let plaintext = vec![7; len];
            let sealed = seal(&key(1), b"name", &plaintext).unwrap();
            assert_eq!(sealed.len(), len + OVERHEAD);
            assert_eq!(*open(&key(1), b"name", sealed).unwrap().expose(), plaintext);
        }
    }

    #[test]
    fn no_bit_can_be_changed_and_no_byte_cut_or_added() {
        let sealed = seal(&key(1), b"name", b"secret").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let broken = open_error(&key(1), b"name", &altered);
            match bit / 8 {
                // The clear header says so itself.
                8 => assert!(matches!(broken, Broken::Newer | Broken::Corrupt)),
                9..17 => assert_eq!(broken, Broken::WrongKey),
                _ => assert_eq!(broken, Broken::Corrupt, "bit {bit}"),
            }
        }
        for len in 0..sealed.len() {
            assert_eq!(open_error(&key(1), b"name", &sealed[..len]), Broken::Corrupt);
        }
        assert_eq!(open_error(&key(1), b"name", &[&sealed[..], b"x"].concat()), Broken::Corrupt);
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let sealed = seal(&key(1), b"name", b"secret").unwrap();
        assert_eq!(open_error(&key(2), b"name", &sealed), Broken::WrongKey);
    }

    #[test]
    fn another_place_is_damage() {
        let sealed = seal(&key(1), b"name", b"secret").unwrap();
        assert_eq!(open_error(&key(1), b"other", &sealed), Broken::Corrupt);
    }

    #[test]
    fn a_newer_version_is_told_from_damage_whatever_follows() {
        for rest in [0, 1, HEADER_LEN] {
            let newer = [&MAGIC[..], &[VERSION + 1], &vec![0; rest]].concat();
            assert_eq!(open_error(&key(1), b"name", &newer), Broken::Newer);
        }
    }

    #[test]
    fn every_form_is_read_and_the_newest_is_written() {
        let golden = include_bytes!("../../tests/golden/sealed-1");
        let record = include_bytes!("../../tests/golden/record-1.json");
        let key = Secret::new(std::array::from_fn(|n| u8::try_from(n).unwrap()));
        let opened = open(&key, b"work@user", golden.to_vec()).unwrap();
        assert_eq!(opened.expose(), record);
        // The nonce and what depends on it are others each time.
        let written = seal(&key, b"work@user", record).unwrap();
        assert_eq!((written.len(), &written[..NONCE_AT]), (golden.len(), &golden[..NONCE_AT]));
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        let seal = || seal(&key(1), b"name", b"secret").unwrap();
        assert_ne!(seal(), seal());
    }
}
