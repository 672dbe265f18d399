//! What a grant needs of the world before the token endpoint is asked: a browser, a listener, a code
//! that a person confirms.

pub mod browser;
pub mod loopback;
pub mod page;
pub mod polling;
