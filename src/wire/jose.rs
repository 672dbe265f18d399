//! Signed JWTs (RFC 7515, 7517, 7518, 8037): whether one of a server's public keys made a signature.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The algorithms that are verified. None of them works with a secret that two share, so that no
/// public key can be passed off as one.
const ALGORITHMS: [&str; 5] = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"];

/// The longest JWT that is looked at, in bytes.
const LONGEST: usize = 256 * 1024;

/// The shortest modulus of an RSA key, in bytes (RFC 7518 sections 3.3 and 3.5).
const SHORTEST: usize = 2048 / 8;

/// The most keys of a set that are looked at.
const MOST_KEYS: usize = 100;

/// Why a signature is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unverified {
    /// It is no signed JWT.
    NotJws,
    /// Its algorithm is none that is verified.
    Algorithm(String),
    /// No key of the set goes by its `kid`, and is long enough and of the kind that its algorithm
    /// needs: a newer set may have it.
    UnknownKey,
    /// No key that could have made it did.
    Signature,
    /// It has a critical extension that nobody here understands (RFC 7515 section 4.1.11).
    Critical,
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJws => f.write_str("it is no signed JWT"),
            Self::Algorithm(alg) => {
                write!(f, "its algorithm {} is not accepted", super::redact::brief(alg, 40))
            }
            Self::UnknownKey => f.write_str("the server has no public key for it"),
            Self::Signature => f.write_str("its signature is wrong"),
            Self::Critical => f.write_str("it has a critical extension that is not known"),
        }
    }
}

/// The public keys of a server (RFC 7517 section 5).
#[derive(Debug, Clone)]
pub struct JwkSet(Vec<Map<String, Value>>);

impl JwkSet {
    /// Reads a set; keys of unknown types are left out (section 5).
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let bad = |what: &str| Error::BadAnswer(format!("the server's keys {what}"));
        let Ok(Value::Object(mut set)) = serde_json::from_slice(bytes) else {
            return Err(bad("are no JSON object"));
        };
        let Some(Value::Array(keys)) = set.remove("keys") else {
            return Err(bad("have no list of keys"));
        };
        if keys.len() > MOST_KEYS {
            return Err(bad("are too many"));
        }
        Ok(Self(
            keys.into_iter()
                .filter_map(|key| match key {
                    Value::Object(key) if is_for_signatures(&key) => Some(key),
                    _ => None,
                })
                .collect(),
        ))
    }
}

/// RFC 7517 sections 4.2 and 4.3.
fn is_for_signatures(key: &Map<String, Value>) -> bool {
    let verifies = |operations: &Vec<Value>| operations.iter().any(|one| one == "verify");
    key.get("use").and_then(Value::as_str).is_none_or(|usage| usage == "sig")
        && key.get("key_ops").and_then(Value::as_array).is_none_or(verifies)
}

/// A JWT, taken apart.
struct Jws<'a> {
    header: Map<String, Value>,
    /// What was signed: header and payload as they stand in the token.
    signed: &'a [u8],
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    fn parse(token: &'a str) -> Option<Self> {
        if token.len() > LONGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        let header = BASE64_URL_SAFE_NO_PAD.decode(header).ok()?;
        Some(Self {
            header: serde_json::from_slice(&header).ok()?,
            signed: signed.as_bytes(),
            payload,
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }
}

/// The claims of a JWT that one of these keys signed.
pub fn verify(token: &str, keys: &JwkSet) -> Result<Map<String, Value>, Unverified> {
    let jws = Jws::parse(token).ok_or(Unverified::NotJws)?;
    let alg = jws.text("alg").ok_or(Unverified::NotJws)?;
    if !ALGORITHMS.contains(&alg) {
        return Err(Unverified::Algorithm(alg.to_owned()));
    }
    if jws.header.contains_key("crit") {
        return Err(Unverified::Critical);
    }
    let kid = jws.text("kid");
    let fits = |key: &&Map<String, Value>| {
        let says = |name: &str, wanted: Option<&str>| {
            let said = key.get(name).and_then(Value::as_str);
            said.is_none() || wanted.is_none() || said == wanted
        };
        says("kid", kid) && (says("alg", Some(alg)) || is_same(alg, key)) && key_type(alg, key)
    };
    let mut known = false;
    for key in keys.0.iter().filter(fits) {
        known = true;
        if is_signed_by(&jws, alg, key) {
            let claims = BASE64_URL_SAFE_NO_PAD.decode(jws.payload).ok();
            let claims = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            return claims.ok_or(Unverified::NotJws);
        }
    }
    Err(if known { Unverified::Signature } else { Unverified::UnknownKey })
}

/// `EdDSA` and `Ed25519` are two names of one algorithm here (RFC 9864).
fn is_same(alg: &str, key: &Map<String, Value>) -> bool {
    let said = key.get("alg").and_then(Value::as_str);
    matches!((alg, said), ("EdDSA", Some("Ed25519")) | ("Ed25519", Some("EdDSA")))
}

/// Whether a key is of the type and the length that an algorithm needs.
fn key_type(alg: &str, key: &Map<String, Value>) -> bool {
    let is = |name: &str, value: &str| key.get(name).and_then(Value::as_str) == Some(value);
    match alg {
        "RS256" | "PS256" => is("kty", "RSA") && modulus(key).is_some_and(|n| n.len() >= SHORTEST),
        "ES256" => is("kty", "EC") && is("crv", "P-256"),
        "EdDSA" | "Ed25519" => is("kty", "OKP") && is("crv", "Ed25519"),
        _ => false,
    }
}

/// The bytes of a member.
fn bytes(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let text = key.get(name).and_then(Value::as_str)?;
    BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// The modulus of an RSA key. A leading zero is in none, but in some servers' keys.
fn modulus(key: &Map<String, Value>) -> Option<Vec<u8>> {
    let mut modulus = bytes(key, "n")?;
    let start = modulus.iter().position(|&byte| byte != 0)?;
    Some(modulus.split_off(start))
}

fn is_signed_by(jws: &Jws<'_>, alg: &str, key: &Map<String, Value>) -> bool {
    let bytes = |name: &str| bytes(key, name);
    let verified = match alg {
        "RS256" | "PS256" => {
            let (Some(n), Some(e)) = (modulus(key), bytes("e")) else { return false };
            let parameters = match alg {
                "RS256" => &RSA_PKCS1_2048_8192_SHA256,
                _ => &RSA_PSS_2048_8192_SHA256,
            };
            RsaPublicKeyComponents { n: &n, e: &e }.verify(parameters, jws.signed, &jws.signature)
        }
        "ES256" => {
            let (Some(x), Some(y)) = (bytes("x"), bytes("y")) else { return false };
            // RFC 7518 section 6.2.1.2: both are as long as the curve's field.
            if x.len() != 32 || y.len() != 32 {
                return false;
            }
            let point = [&[4][..], &x, &y].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(jws.signed, &jws.signature)
        }
        "EdDSA" | "Ed25519" => {
            let Some(x) = bytes("x") else { return false };
            UnparsedPublicKey::new(&ED25519, x).verify(jws.signed, &jws.signature)
        }
        _ => return false,
    };
    verified.is_ok()
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    };
    use serde_json::json;

    use super::*;

    fn encode(bytes: impl AsRef<[u8]>) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn set(keys: &Value) -> JwkSet {
        JwkSet::decode(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    /// A token signed with a new key of Ed25519, and that key.
    fn signed(header: &Value) -> (String, Value) {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let start = format!("{}.{}", encode(header.to_string()), encode(r#"{"sub":"me"}"#));
        let token = format!("{start}.{}", encode(pair.sign(start.as_bytes())));
        let x = encode(pair.public_key());
        (token, json!({"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}))
    }

    #[test]
    fn the_example_of_rfc_8037_has_a_right_signature() {
        let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1\
                     PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let keys = set(&json!([{"kty": "OKP", "crv": "Ed25519", "x": x}]));
        // Its payload is a sentence, and so no claims: that is found out after the signature.
        assert_eq!(verify(token, &keys), Err(Unverified::NotJws));
        let other = token.replace("hgyY", "hgyZ");
        assert_eq!(verify(&other, &keys), Err(Unverified::Signature));
    }

    #[test]
    fn a_signature_of_p_256_is_verified() {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let start = format!("{}.{}", encode(r#"{"alg":"ES256"}"#), encode(r#"{"sub":"me"}"#));
        let signature = encode(pair.sign(&random, start.as_bytes()).unwrap());
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let key = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
        let claims = verify(&format!("{start}.{signature}"), &set(&json!([key]))).unwrap();
        assert_eq!(claims["sub"], "me");
        let altered = format!("{}.{}.{signature}", encode(r#"{"alg":"ES256"}"#), encode("{}"));
        assert_eq!(verify(&altered, &set(&json!([key]))), Err(Unverified::Signature));
    }

    #[test]
    fn a_key_is_found_by_its_id_and_type_and_may_be_one_of_many() {
        let (token, key) = signed(&json!({"alg": "EdDSA", "kid": "1"}));
        let (_, mut another) = signed(&json!({"alg": "EdDSA"}));
        assert_eq!(verify(&token, &set(&json!([another, key]))).unwrap()["sub"], "me");
        another["kid"] = json!("2");
        assert_eq!(verify(&token, &set(&json!([another]))), Err(Unverified::UnknownKey));
        let mut for_encryption = key.clone();
        for_encryption["use"] = json!("enc");
        assert_eq!(verify(&token, &set(&json!([for_encryption]))), Err(Unverified::UnknownKey));
        let mut for_another = key;
        for_another["alg"] = json!("RS256");
        assert_eq!(verify(&token, &set(&json!([for_another]))), Err(Unverified::UnknownKey));
    }

    #[test]
    fn no_other_algorithm_is_believed() {
        let keys = set(&json!([{"kty": "oct", "k": encode("secret")}]));
        for alg in ["none", "None", "HS256", "RS1", "ES256K", ""] {
            let token = format!("{}.{}.", encode(json!({"alg": alg}).to_string()), encode("{}"));
            assert_eq!(verify(&token, &keys), Err(Unverified::Algorithm(alg.to_owned())));
        }
    }

    #[test]
    fn a_critical_extension_is_not_passed_over() {
        let (token, key) = signed(&json!({"alg": "EdDSA", "crit": ["b64"], "b64": false}));
        assert_eq!(verify(&token, &set(&json!([key]))), Err(Unverified::Critical));
    }

    #[test]
    fn what_is_no_signed_jwt_is_told() {
        let keys = set(&json!([]));
        let huge = "a".repeat(LONGEST + 1);
        for token in ["", ".", "..", "a.b.c", "e30.e30", "e30.e30.x.y", &huge] {
            assert_eq!(verify(token, &keys), Err(Unverified::NotJws));
        }
    }

    #[test]
    fn a_set_of_keys_is_read_within_bounds() {
        for bytes in ["", "[]", "{}", r#"{"keys":{}}"#] {
            JwkSet::decode(bytes.as_bytes()).unwrap_err();
        }
        let keys = |count| json!({ "keys": vec![json!({}); count] }).to_string();
        JwkSet::decode(keys(MOST_KEYS).as_bytes()).unwrap();
        JwkSet::decode(keys(MOST_KEYS + 1).as_bytes()).unwrap_err();
    }
}
