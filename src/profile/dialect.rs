//! How a provider's token endpoint wants to be spoken to, and how it answers.

/// The form of a request to the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestDialect {
    /// The method; `GET` is some providers' own idea.
    pub method: Method,
    /// Where the parameters stand.
    pub format: Format,
    /// What joins the scopes.
    pub scope_separator: String,
    /// Whether the password grant sends `scope` even where there is none.
    pub send_empty_scope: bool,
    /// How id and secret are encoded for HTTP Basic.
    pub basic_encoding: BasicEncoding,
    /// The API that the token is for, as servers took it before RFC 8707.
    pub audience: Option<String>,
    /// The APIs that the token is for (RFC 8707).
    pub resource: Vec<String>,
    /// Extra parameters; none of a reserved name.
    pub params: Vec<(String, String)>,
    /// Extra headers; none of a reserved name.
    pub headers: Vec<(String, String)>,
}

/// What the authorization endpoint is asked besides what the grant itself needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationDialect {
    /// What joins the scopes.
    pub scope_separator: String,
    /// What the person is to see: `login`, `consent`, `select_account`, `none`.
    pub prompt: Option<String>,
    /// Who is expected to log in.
    pub login_hint: Option<String>,
    /// The longest that the person's last login may be ago, in seconds.
    pub max_age: Option<u64>,
    /// How well the person is to prove itself.
    pub acr_values: Option<String>,
    /// The API that the token is for, as servers took it before RFC 8707.
    pub audience: Option<String>,
    /// The APIs that the token is for (RFC 8707).
    pub resource: Vec<String>,
    /// Whether the request is pushed to the server first (RFC 9126).
    pub pushed: bool,
    /// Extra parameters; none of a reserved name.
    pub params: Vec<(String, String)>,
}

impl Default for AuthorizationDialect {
    fn default() -> Self {
        Self {
            scope_separator: " ".to_owned(),
            prompt: None,
            login_hint: None,
            max_age: None,
            acr_values: None,
            audience: None,
            resource: Vec::new(),
            pushed: false,
            params: Vec::new(),
        }
    }
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `POST`, as RFC 6749 section 3.2 demands.
    Post,
    /// `GET`.
    Get,
}

/// Where a request's parameters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/x-www-form-urlencoded` in the body.
    Form,
    /// A JSON object in the body.
    Json,
    /// The query string.
    Query,
}

/// How id and secret are encoded before they go into HTTP Basic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BasicEncoding {
    /// Form-encoded first (RFC 6749 section 2.3.1).
    Rfc6749,
    /// As they are (RFC 7617); some servers don't decode.
    Raw,
}

impl Default for RequestDialect {
    fn default() -> Self {
        Self {
            method: Method::Post,
            format: Format::Form,
            scope_separator: " ".to_owned(),
            send_empty_scope: false,
            basic_encoding: BasicEncoding::Rfc6749,
            audience: None,
            resource: Vec::new(),
            params: Vec::new(),
            headers: Vec::new(),
        }
    }
}

/// Where the members of an answer stand: JSON pointers (RFC 6901), where they aren't the RFC's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseDialect {
    /// Where `access_token` stands.
    pub access_token: Option<String>,
    /// Where `token_type` stands.
    pub token_type: Option<String>,
    /// Where `expires_in` stands.
    pub expires_in: Option<String>,
    /// Where `refresh_token` stands.
    pub refresh_token: Option<String>,
    /// Where `id_token` stands.
    pub id_token: Option<String>,
    /// Where `scope` stands.
    pub scope: Option<String>,
    /// What separates the scopes of an answer; blanks where unset.
    pub scope_separator: Option<String>,
    /// The life, in seconds, of a token whose answer doesn't tell.
    pub default_expires_in: Option<u64>,
}
