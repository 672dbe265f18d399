//! A server's keys: JWTs that are really signed, and the public halves to go with them.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

/// A key pair that goes by an id.
pub struct Signer {
    kid: String,
    key: Key,
}

enum Key {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    /// The RSA key of all tests; to make one takes long, and needs `openssl`.
    pub fn rsa(kid: &str) -> Self {
        static KEY: OnceLock<Vec<u8>> = OnceLock::new();
        let der = KEY.get_or_init(|| {
            let pem = openssl(&["genpkey", "-algorithm", "RSA"], b"");
            openssl(&["pkcs8", "-topk8", "-nocrypt", "-outform", "DER"], &pem)
        });
        Self { kid: kid.to_owned(), key: Key::Rsa(RsaKeyPair::from_pkcs8(der).unwrap()) }
    }

    /// A new key of P-256.
    pub fn p256(kid: &str) -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let der = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(algorithm, der.as_ref(), &random).unwrap();
        Self { kid: kid.to_owned(), key: Key::P256(key) }
    }

    /// A new key of Ed25519.
    pub fn ed25519(kid: &str) -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(der.as_ref()).unwrap();
        Self { kid: kid.to_owned(), key: Key::Ed25519(key) }
    }

    /// Its public half.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.key {
            Key::Rsa(key) => {
                let public: PublicKeyComponents<Vec<u8>> = key.public().into();
                json!({"kty": "RSA", "n": base64url(public.n), "e": base64url(public.e)})
            }
            Key::P256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)})
            }
            Key::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(key.public_key())})
            }
        };
        jwk["kid"] = self.kid.as_str().into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// These claims, signed by an algorithm that this key can.
    pub fn signs(&self, alg: &str, claims: &Value) -> String {
        self.signs_as(alg, &json!({"alg": alg, "kid": self.kid, "typ": "JWT"}), claims)
    }

    /// The same under a header that may say something else.
    pub fn signs_as(&self, alg: &str, header: &Value, claims: &Value) -> String {
        let start = unsigned(header, claims);
        let (bytes, random) = (start.as_bytes(), SystemRandom::new());
        let signature = match (&self.key, alg) {
            (Key::Rsa(key), "RS256" | "PS256") => {
                let mut signature = vec![0; key.public().modulus_len()];
                let signed = match alg {
                    "RS256" => key.sign(&RSA_PKCS1_SHA256, &random, bytes, &mut signature),
                    _ => key.sign(&RSA_PSS_SHA256, &random, bytes, &mut signature),
                };
                signed.unwrap();
                signature
            }
            (Key::P256(key), "ES256") => key.sign(&random, bytes).unwrap().as_ref().to_vec(),
            (Key::Ed25519(key), "EdDSA") => key.sign(bytes).as_ref().to_vec(),
            _ => panic!("this key can't sign by {alg}"),
        };
        format!("{start}.{}", base64url(signature))
    }
}

/// Header and claims of a JWT.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64url(header.to_string()), base64url(claims.to_string()))
}

/// A JWT of HS256.
pub fn shared(secret: &[u8], header: &Value, claims: &Value) -> String {
    let start = unsigned(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    format!("{start}.{}", base64url(hmac::sign(&key, start.as_bytes())))
}

/// Whether there is no program to make a key of RSA.
pub fn lacks_openssl() -> bool {
    let lacks = !super::installed("openssl");
    if lacks {
        eprintln!("skipped: it needs openssl");
    }
    lacks
}

/// What `openssl` makes of these arguments and this input.
pub fn openssl(args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("openssl is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {args:?}");
    output.stdout
}
