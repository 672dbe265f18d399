//! `provider`: the presets that are known.

use super::support::Test;

#[test]
fn list_has_the_built_in_presets_and_the_users_own() {
    let test = Test::new().config_file(
        "providers/mine.toml",
        "# The one of our house\n# Ask at the desk.\n\n# No more of that.\n\
         base_url = \"https://id.example.com\"\ntoken_url = \"/token\"\n",
    );
    let list = test.words("provider list --json").run().success().json();
    let list = list.as_array().unwrap();
    let names: Vec<_> = list.iter().map(|preset| preset["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "{names:?}");
    for name in ["bindeo", "github", "google", "mine", "microsoft", "zoom"] {
        assert!(names.contains(&name), "{name}");
    }
    let source = format!("{}/providers/mine.toml", test.config().display());
    let mine = list.iter().find(|preset| preset["name"] == "mine").unwrap();
    assert_eq!(
        *mine,
        serde_json::json!({
            "name": "mine",
            "description": "The one of our house",
            "base_url": "https://id.example.com",
            "grants": [],
            "source": source,
        })
    );
    let table = test.words("provider list").run().success();
    table
        .stdout_has("github\tGitHub: OAuth apps and GitHub Apps, on behalf of a user\tbuilt in\n")
        .stdout_has(&format!("mine\tThe one of our house\t{source}\n"));
    let show = test.words("provider show mine").run().success();
    show.stdout_has("# The one of our house\n# Ask at the desk.\n\nbase_url = ");
}

#[cfg(target_os = "linux")]
#[test]
fn list_fits_a_terminal_of_any_width_without_colours_where_none_are_wanted() {
    for columns in [40, 80, 200] {
        let test = Test::new();
        let list = test.words("provider list").env("NO_COLOR", "1").terminal(columns);
        let list = list.ends().success();
        assert!(!list.stdout.contains('\u{1b}'), "{list:?}");
        let lines: Vec<_> = list.stdout.lines().collect();
        assert!(lines[0].starts_with("PROVIDER"), "{lines:?}");
        for line in &lines {
            assert!(line.chars().count() <= usize::from(columns), "{line:?} at {columns}");
        }
    }
}

#[test]
fn show_prints_a_preset_and_where_each_value_comes_from() {
    let show = Test::new().words("provider show musement").run().success();
    let table: toml::Table = show.stdout.parse().unwrap();
    assert_eq!(table["token_url"].as_str(), Some("/api/v3/login"));
    assert_eq!(table["request"]["method"].as_str(), Some("GET"));
    assert!(
        show.stdout
            .lines()
            .filter(|line| line.contains(" = "))
            .all(|line| line.ends_with("# preset musement"))
    );
}

#[test]
fn a_name_that_is_no_preset_is_exit_3_and_the_error_lists_them() {
    let test = Test::new();
    let outcome = test.words("provider show nobody").run().fails_with(3);
    outcome.stderr_has("there are: atlassian, auth0, ").stderr_has(", zitadel, zoom\n");
    test.words("provider show ../x").run().fails_with(3);
    test.words("provider").run().fails_with(2);
}

#[test]
fn the_users_own_preset_refines_the_built_in_one_of_its_name() {
    let test = Test::new()
        .config_file("providers/bindeo.toml", "provider = \"bindeo\"\nclient_id = \"ours\"\n");
    let show = test.words("provider show bindeo").run().success();
    show.stdout_has("client_id = \"ours\"").stdout_has("token_url = \"/access_token\"");
}

#[test]
fn a_preset_without_words_of_its_own_is_told_of_by_what_it_builds_on() {
    let test = Test::new().config_file("providers/mine.toml", "provider = \"github\"\n");
    let show = test.words("provider show mine").run().success();
    show.stdout_has("# GitHub: ").stdout_has("https://github.com/settings/applications/new");
}

#[test]
fn a_preset_of_the_users_own_serves_a_profile() {
    let test = Test::new()
        .config_file("providers/mine.toml", "token_url = \"https://id.example.com/token\"\n")
        .profile("x", "provider = \"mine\"\nclient_id = \"me\"\n");
    let dry = test.words("client-token -p x --dry-run").run().success();
    dry.stdout_has("POST /token HTTP/1.1\nHost: id.example.com\n");
    test.words("client-token -p mine --dry-run").env("OAUTHCTL_CLIENT_ID", "me").run().success();
}
