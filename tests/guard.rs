//! What CI holds a release build against: `benches/bounds.toml`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

fn benches() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches")
}

fn bounds() -> DocumentMut {
    fs::read_to_string(benches().join("bounds.toml")).unwrap().parse().unwrap()
}

/// The keys of a table in `counts.py`, whose entries are a line each.
fn counted() -> BTreeSet<String> {
    let text = fs::read_to_string(benches().join("counts.py")).unwrap();
    let (_, rest) = text.split_once("NAMES = {\n").unwrap();
    let (entries, _) = rest.split_once("\n}").unwrap();
    entries.lines().map(|line| line.trim().split('"').nth(1).unwrap().to_owned()).collect()
}

#[test]
fn every_count_has_a_bound_and_every_bound_is_checked() {
    let bounds = bounds();
    let bounded: BTreeSet<_> =
        bounds["most"].as_table().unwrap().iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(bounded, counted());
}

#[test]
fn no_bound_is_looser_than_the_budget() {
    let bounds = bounds();
    for (name, budget) in [
        ("system_calls", 80),
        ("page_faults", 90),
        ("instructions", 500_000),
        ("peak_memory_kib", 4 << 10),
        ("https_peak_memory_kib", 6 << 10),
        ("binary_bytes", 6 << 20),
    ] {
        let bound = bounds["most"][name].as_integer().unwrap();
        assert!(bound <= budget, "{name}: {bound}, but the budget is {budget}");
    }
}

#[test]
fn ci_runs_the_guard() {
    let run = fs::read_to_string(benches().with_file_name("tests").join("run")).unwrap();
    let (_, of_ci) = run.rsplit_once("if [[ ${CI:-} == true ]]").unwrap();
    let (of_ci, _) = of_ci.split_once("\nfi").unwrap();
    assert!(of_ci.contains("step benches/guard"), "{of_ci}");
}
