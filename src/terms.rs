//! The field's own words: grants, identities, client authentication, stores.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An enumeration whose members have one registered spelling each.
macro_rules! terms {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every spelling, in the order of declaration.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The registered spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The member of this exact spelling.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

terms! {
    /// How a token is obtained (RFC 6749, RFC 8628).
    GrantType {
        /// A machine, by its own credentials.
        ClientCredentials = "client_credentials",
        /// A person's username and password (RFC 6749 section 4.3).
        Password = "password",
        /// A refresh token.
        RefreshToken = "refresh_token",
        /// A person in a browser.
        AuthorizationCode = "authorization_code",
        /// A person at another device (RFC 8628).
        DeviceCode = "device_code",
    }
}

impl GrantType {
    /// Its name on the wire; that of RFC 8628 is a URN.
    #[must_use]
    pub const fn wire_name(self) -> &'static str {
        match self {
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            other => other.as_str(),
        }
    }

    /// Whether the grant yields a token of a person.
    #[must_use]
    pub const fn is_user(self) -> bool {
        matches!(self, Self::Password | Self::AuthorizationCode | Self::DeviceCode)
    }
}

terms! {
    /// Whose token it is.
    Identity {
        /// A person's.
        User = "user",
        /// The client's own.
        Client = "client",
    }
}

terms! {
    /// How the client proves itself at the token endpoint (IANA's names).
    ClientAuthMethod {
        /// HTTP Basic.
        ClientSecretBasic = "client_secret_basic",
        /// `client_id` and `client_secret` among the parameters.
        ClientSecretPost = "client_secret_post",
        /// A public client: `client_id` alone.
        None = "none",
    }
}

terms! {
    /// Where tokens are kept.
    StoreKind {
        /// The platform's keychain.
        Keychain = "keychain",
        /// The memory of the Linux kernel, until the machine stops.
        Kernel = "kernel",
        /// An encrypted file.
        File = "file",
        /// An external helper.
        Command = "command",
        /// Nowhere: nothing outlives the process.
        None = "none",
    }
}
