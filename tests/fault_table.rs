//! The table of faults in tests/README.md can't rot: its tests are there, and they are all in it.

use std::collections::BTreeSet;
use std::process::Command;

const README: &str = include_str!("README.md");

/// The modules in which every test injects a fault.
const OF_FAULTS: [&str; 9] =
    ["kills", "steps", "disks", "readonly", "stopped", "crowd", "servers", "retries", "clocks"];

/// The tests of this program.
fn tests() -> BTreeSet<String> {
    let list = Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// The cells of each row.
fn rows() -> Vec<Vec<&'static str>> {
    let (_, table) =
        README.split_once("| --- | --- | --- | --- |").expect("a table of four columns");
    let rows = table.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    rows.map(|row| row.split('|').map(str::trim).collect()).collect()
}

/// The tests that a row names.
fn named(row: &[&'static str]) -> impl Iterator<Item = &'static str> {
    row[2].split('`').skip(1).step_by(2)
}

#[test]
fn every_row_of_the_fault_table_names_tests_that_there_are() {
    let tests = tests();
    let rows = rows();
    assert!(rows.len() > 10, "{} rows", rows.len());
    for row in rows {
        assert_eq!(row.len(), 4, "{row:?}");
        let missing: Vec<_> = named(&row).filter(|name| !tests.contains(*name)).collect();
        assert!(missing.is_empty(), "there is no {missing:?}");
        assert!(named(&row).count() > 0, "no test: {row:?}");
        assert!(!row[3].is_empty(), "what was seen? {row:?}");
    }
}

#[test]
fn every_test_of_a_fault_is_in_the_table() {
    let rows = rows();
    let named: BTreeSet<_> = rows.iter().flat_map(|row| named(row)).collect();
    let of_faults = |name: &String| {
        let module = name.strip_prefix("renewal::").and_then(|rest| rest.split("::").next());
        module.is_some_and(|module| OF_FAULTS.contains(&module))
    };
    let missing: Vec<_> = tests().into_iter().filter(of_faults).collect();
    let missing: Vec<_> = missing.iter().filter(|name| !named.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "not in tests/README.md: {missing:#?}");
}
