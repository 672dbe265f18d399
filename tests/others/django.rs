//! Python's django-oauth-toolkit.

use super::{Maker, Person, World, introspected, is_verified, kept};

const SCOPE: &str = "scope = [\"openid\", \"email\", \"read\"]\n";

impl Person {
    fn signs_in_to_django(&self, name: &str) {
        self.types("input[name=username]", name);
        self.types("input[name=password]", "any");
        self.presses("button");
    }
}

#[test]
fn a_client_of_odd_characters_has_a_whole_life_of_a_session() {
    let Some(world) = World::of(Maker::Django) else { return };
    let secret = "its secret: 100% +&=?/\"\\é";
    let client = "client_id = 'a client: 100% +&=?/\"é'\nclient_secret = { env = \"SECRET\" }\n";
    let resource = "resource = [\"https://api.example/v1\"]\n";
    let profile = format!("{client}{SCOPE}{resource}");
    let test = world.user(&profile).env("SECRET", secret).secret(secret);
    let person = world.person();
    let login = test.words("login").start();
    person.opens(test.opens().url.as_str());
    person.signs_in_to_django("alice");
    person.presses("input[name=allow]");
    person.reads("You are logged in");
    is_verified(&test, login.ends());

    let old = kept(&test, "refresh_token");
    let test = test.secret(&old);
    test.words("refresh").run().success();
    let new = (kept(&test, "access_token"), kept(&test, "refresh_token"));
    assert_ne!(new.1, old);
    let told = introspected(&test, &new.0);
    assert_eq!((&told["active"], &told["username"]), (&true.into(), &"alice".into()), "{told}");
    assert_eq!(told["aud"], serde_json::json!(["https://api.example/v1"]), "{told}");
    let test = test.secret(&new.0).secret(&new.1);
    test.words("logout").run().success();
    assert_eq!(introspected(&test, &new.0)["active"], false);
}

#[test]
fn a_program_without_a_secret_logs_in_and_its_old_refresh_token_is_refused() {
    let Some(world) = World::of(Maker::Django) else { return };
    let test = world.user(&format!("client_id = \"a program\"\n{SCOPE}"));
    let person = world.person();
    let login = test.words("login").start();
    let visit = test.opens();
    assert_eq!(visit.param("code_challenge_method"), "S256");
    person.opens(visit.url.as_str());
    person.signs_in_to_django("bob");
    person.presses("input[name=allow]");
    person.reads("You are logged in");
    is_verified(&test, login.ends());
    let told = test.words("userinfo --json").run().success().json();
    assert_eq!(told["email"], "bob@people.example", "{told}");
    // It answers no question of a client that proves nothing.
    let refused = test.words("introspect --refresh-token").run().fails_with(5);
    refused.stderr_has("status 403").stderr_has(
        "hint: see what is sent with: oauthctl -vvv introspect --refresh-token --profile x",
    );
    let old = kept(&test, "refresh_token");
    test.words("refresh").run().success();
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", &old), ("client_id", "a program")];
    let (status, answer) = world.post("/token/", &form);
    assert_eq!((status, &answer["error"]), (400, &"invalid_grant".into()));
    // Reuse has ended the session, and who asks next is told.
    test.words("refresh").run().fails_with(4).stderr_has("hint: oauthctl login --profile x");

    let login = test.words("login").start();
    person.opens(test.opens().url.as_str());
    person.presses("input[type=submit]:not([name])");
    person.reads("The login did not work");
    login.ends().fails_with(5).stderr_has("access_denied");

    let login = test.words("login").start();
    person.opens(test.opens().url.as_str());
    person.presses("input[name=allow]");
    person.reads("You are logged in");
    is_verified(&test, login.ends());
    let last = kept(&test, "refresh_token");
    test.words("logout").run().success();
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", &last), ("client_id", "a program")];
    assert_eq!(world.post("/token/", &form).1["error"], "invalid_grant");
}

#[test]
fn a_server_makes_a_client_and_that_client_logs_in() {
    let Some(world) = World::of(Maker::Django) else { return };
    let test = world.user("");
    let issuer = &world.server.issuer;
    let add = format!("profile add made --issuer {issuer} --register --scope read");
    test.words(&add).run().success();
    let person = world.person();
    let login = test.words("login --profile made").start();
    person.opens(test.opens().url.as_str());
    person.signs_in_to_django("alice");
    person.presses("input[name=allow]");
    person.reads("You are logged in");
    login.ends().success().stderr_has("Logged in to made");
}

#[test]
fn a_device_is_let_in_by_its_code_or_kept_out() {
    let Some(world) = World::of(Maker::Django) else { return };
    let issuer = &world.server.issuer;
    // No document of this server tells it.
    let endpoint = format!("device_authorization_url = \"{issuer}/device-authorization/\"\n");
    let device = format!(
        "client_id = \"a-device\"\nlogin_grant = \"device_code\"\nscope = [\"read\"]\n{endpoint}"
    );
    let test = world.user(&device);
    let person = world.person();
    let mut login = test.words("login").start();
    person.opens(login.shows(&format!("{issuer}/device/?user_code=")).url.as_str());
    person.signs_in_to_django("carol");
    person.presses("form button:not([name])");
    person.presses("button[value=accept]");
    login.ends().success().stdout_is("").stderr_has("Logged in to x");
    test.words("refresh").run().success();

    let mut login = test.words("login").start();
    person.opens(login.shows(&format!("{issuer}/device/?user_code=")).url.as_str());
    person.presses("form button:not([name])");
    person.presses("button[value=deny]");
    login.ends().fails_with(5).stderr_has("access_denied");
    test.words("header").prints_secrets().run().success();
}
