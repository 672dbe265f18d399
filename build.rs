//! How a release is linked on Linux: for a program that is started in loops and prompts, and has
//! nothing to do but read a few small files, pages that must be loaded or relocated are the cost.

use std::env::var;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it is set, everything is linked as usual.
const AS_USUAL: &str = "OAUTHCTL_LINK_AS_USUAL";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/layout.ld");
    println!("cargo::rerun-if-env-changed={AS_USUAL}");
    let is = |name: &str, value: &str| var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is("PROFILE", "release")
        && var("HOST") == var("TARGET")
        && !var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|features| features.contains("crt-static"))
        && var(AS_USUAL).is_err()
    {
        link();
    }
}

fn link() {
    // At a fixed address, the tables of pointers need no relocation: a quarter fewer page faults.
    // The stack, the heap and the libraries are at random addresses all the same.
    argument("-no-pie");
    // What `header` runs stands together, and not in as many pages as it has functions.
    let root = PathBuf::from(var("CARGO_MANIFEST_DIR").unwrap_or_default());
    argument(&format!("-Wl,-T,{}", root.join("src/layout.ld").display()));
    // The unwinder, of which a panic that aborts needs next to nothing, is no library to load.
    let out = PathBuf::from(var("OUT_DIR").unwrap_or_default());
    if is_there("libgcc_eh.a")
        && std::fs::write(out.join("libgcc_s.so"), "GROUP ( libgcc_eh.a libgcc.a )\n").is_ok()
    {
        argument(&format!("-L{}", out.display()));
    }
}

fn argument(argument: &str) {
    println!("cargo::rustc-link-arg-bins={argument}");
}

/// Whether the compiler that links finds this library.
fn is_there(library: &str) -> bool {
    let linker = var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let found = Command::new(linker).arg(format!("-print-file-name={library}")).output();
    found.is_ok_and(|found| Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_absolute())
}
