//! `provider`: the presets that are known.

use super::support::Test;

#[test]
fn list_has_the_built_in_presets_and_the_users_own() {
    let test = Test::new().config_file(
        "providers/mine.toml",
        "base_url = \"https://id.example.com\"\ntoken_url = \"/token\"\n",
    );
    let list = test.words("provider list --json").run().success().json();
    let list: Vec<_> = list.as_array().unwrap().iter().map(|preset| &preset["name"]).collect();
    assert_eq!(list, ["barapi", "bindeo", "kabbage", "mine", "musement"]);
    let table = test.words("provider list").run().success();
    table
        .stdout_has("barapi\thttps://barapi.cloud\tpassword refresh_token\tbuilt in\n")
        .stdout_has(&format!(
            "mine\thttps://id.example.com\t\t{}/providers/mine.toml\n",
            test.config().display()
        ));
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
    outcome.stderr_has("barapi, bindeo, kabbage, musement");
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
fn a_preset_of_the_users_own_serves_a_profile() {
    let test = Test::new()
        .config_file("providers/mine.toml", "token_url = \"https://id.example.com/token\"\n")
        .profile("x", "provider = \"mine\"\nclient_id = \"me\"\n");
    let dry = test.words("client-token -p x --dry-run").run().success();
    dry.stdout_has("POST /token HTTP/1.1\nHost: id.example.com\n");
    test.words("client-token -p mine --dry-run").env("OAUTHCTL_CLIENT_ID", "me").run().success();
}
