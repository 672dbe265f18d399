//! The program: arguments in, exit status out.

#![cfg_attr(all(target_os = "linux", target_env = "gnu"), no_main)]

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() -> std::process::ExitCode {
    oauthctl::cli::run(std::env::args_os()).into()
}

/// As the C library calls it: without what Rust's runtime does before, at each start.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[unsafe(no_mangle)]
#[expect(unsafe_code, reason = "a name that is exported: there is no other one of the kind")]
extern "C" fn main() -> i32 {
    i32::from(oauthctl::cli::start(std::env::args_os()))
}
