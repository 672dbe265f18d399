//! Requests that are tried again: which, when, and for how long.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use oauthctl::sandbox::{Answer, Fault, Provider};
use rustix::process::Signal;

use super::{
    DUE, Opens, assert_session_lives, counts, expired, grant_grace, journal, logged_in, slot_file,
};
use crate::support::gateway::Gateway;
use crate::support::raw::{RawServer, answer, read};
use crate::support::{Started, Test};

const AGAIN: &str = "; trying again in ";

/// The next requests, or all of them, are answered with this instead.
fn strike(test: &Test, times: Option<u64>, status: u16, retry_after: Option<&str>) {
    let answer = retry_after
        .into_iter()
        .fold(Answer::new(status).json("{}"), |answer, value| answer.header("Retry-After", value));
    test.server().behave(|behaviour| {
        behaviour.fault = Some(Fault { times, after_grant: false, answer: Some(answer) });
    });
}

fn mend(test: &Test) {
    test.server().behave(|behaviour| behaviour.fault = None);
}

/// A machine at the strictest of servers, on which nobody has logged in.
fn fresh() -> Test {
    Test::new().sandbox().env("OAUTHCTL_PROFILE", "standard")
}

/// An address at which nobody listens, nor will another test: they are all at 127.0.0.1.
fn nobodys_address(last: u8) -> SocketAddr {
    TcpListener::bind((Ipv4Addr::new(127, 7, 7, last), 0)).unwrap().local_addr().unwrap()
}

/// The same with a profile whose server is at this address.
fn at(test: Test, address: SocketAddr) -> Test {
    let base_url = format!("base_url = \"http://{address}/standard\"\n");
    test.variant("away", Provider::Standard, &base_url).env("OAUTHCTL_PROFILE", "away")
}

/// Starts a command and waits until it tells this.
fn start<'a>(test: &'a Test, words: &str, told: &str) -> Started<'a> {
    let mut started = test.words(words).prints_secrets().start();
    started.tells(told);
    started
}

#[test]
fn a_server_that_starts_late_is_found() {
    for (last, command) in [(1, "client-token -v"), (2, "login -v")] {
        let address = nobodys_address(last);
        let test = at(Test::new().sandbox(), address);
        let running = start(&test, command, "refused the connection; trying again in 0.");
        let _gateway = Gateway::at(address, test.server().address());
        running.ends().success();
    }
}

#[test]
fn whoever_refuses_every_connection_is_tried_four_times() {
    let test = at(Test::new().sandbox(), nobodys_address(3));
    for command in ["client-token -v", "login -v"] {
        let outcome = test.words(command).run().fails_with(6);
        assert_eq!(outcome.stderr.matches(AGAIN).count(), 3, "{outcome:#?}");
    }
}

#[test]
fn a_name_that_can_not_be_looked_up_now_is_looked_up_again_and_one_that_nobody_has_is_not() {
    let words = "client-token --no-store -v";
    let test = Test::new().env("OAUTHCTL_CLIENT_ID", "c").env("OAUTHCTL_CLIENT_SECRET", "s");
    let test = test.env("OAUTHCTL_TOKEN_URL", "https://nobody.invalid/token");
    // Without any network nobody can say; else it is known that there is no such name.
    let isolated = Command::new("unshare").args(["-rn", "true"]).status();
    if isolated.is_ok_and(|status| status.success()) {
        let alone = format!("exec unshare -rn {} {words}", env!("CARGO_BIN_EXE_oauthctl"));
        let outcome = test.shell(&alone).run().fails_with(6);
        assert_eq!(outcome.stderr.matches(AGAIN).count(), 3, "{outcome:#?}");
    } else {
        eprintln!("skipped: no network can be taken away here");
    }
    let outcome = test.words(words).run().fails_with(6).stderr_has("the name can't be found");
    if !outcome.stderr.contains("emporary failure") {
        outcome.stderr_lacks(AGAIN);
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again_once_the_time_that_it_names_has_passed() {
    for status in [429, 503] {
        let test = expired();
        for command in ["client-token -v", "header -v", "login -v"] {
            strike(&test, Some(1), status, Some("1"));
            let outcome = test.words(command).prints_secrets().run().success();
            let outcome = outcome.stderr_has(&format!("status {status}"));
            outcome.stderr_has("the server can't answer now; trying again in 1.");
        }
        let counts = counts(&test);
        let asked = (counts.client_credentials, counts.refresh_token, counts.password);
        assert_eq!((asked, counts.reuse), ((2, 2, 1 + 2), 0));
        assert!(!journal(&test).exists());
    }
}

#[test]
fn a_busy_server_that_names_no_time_is_asked_four_times_by_who_spends_nothing() {
    let test = expired();
    strike(&test, None, 503, None);
    for command in ["client-token", "header", "refresh", "login"] {
        test.words(command).run().fails_with(6).stderr_has("status 503");
    }
    let asked = counts(&test);
    assert_eq!((asked.client_credentials, asked.refresh_token, asked.password), (4, 8, 1 + 1));
    mend(&test);
    assert_session_lives(&test);
    assert_eq!(counts(&test).reuse, 0);
}

#[test]
fn a_time_that_is_longer_than_there_is_left_is_not_waited_for_but_told() {
    let test = expired();
    strike(&test, None, 429, Some("3600"));
    for command in ["client-token", "header", "refresh", "login"] {
        let outcome = test.words(command).run().fails_with(6);
        outcome.stderr_has("status 429; it asks to wait 3600 s");
    }
    // Two that are too long together: the second one does not fit.
    strike(&test, None, 429, Some("2"));
    test.words("client-token --timeout 6s").run().fails_with(6).stderr_has("wait 2 s");
    let asked = counts(&test);
    assert_eq!((asked.client_credentials, asked.refresh_token, asked.password), (3, 2, 1 + 1));
    mend(&test);
    assert_session_lives(&test);
}

#[test]
fn what_waiting_can_not_change_is_asked_for_once() {
    let test = expired();
    for (status, code) in [(400, 5), (401, 5), (403, 5), (302, 6), (500, 6)] {
        let before = counts(&test).client_credentials;
        strike(&test, None, status, Some("1"));
        test.words("client-token").run().fails_with(code);
        assert_eq!(counts(&test).client_credentials, before + 1, "{status}");
    }
}

#[test]
fn whoever_has_a_token_that_lives_asks_once_however_inviting_the_server_is() {
    let test = logged_in();
    test.words("client-token").prints_secrets().run().success();
    strike(&test, None, 503, Some("1"));
    for command in ["header", "client-token"] {
        let words = format!("{command} {DUE} -v");
        let served = test.words(&words).prints_secrets().run().success();
        served.stderr_has("serves on").stderr_has("wait 1 s").stderr_lacks(AGAIN);
    }
    assert_eq!((counts(&test).refresh_token, counts(&test).client_credentials), (1, 1 + 1));
}

#[test]
fn a_gateway_that_lost_the_answer_is_an_answer_lost() {
    let test = logged_in();
    let old = format!("Authorization: Bearer {}\n", test.access_token());
    test.server().behave(|behaviour| {
        let answer = Some(Answer::new(502).json("{}"));
        behaviour.fault = Some(Fault { times: Some(1), after_grant: true, answer });
    });
    for _ in 0..2 {
        let header = test.words(&format!("header {DUE}")).prints_secrets().run().success();
        header.stdout_is(&old).stderr_has("serves on");
    }
    // The server would have ended the access token.
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
    grant_grace(&test);
    assert_session_lives(&test);
}

#[test]
fn a_refusal_after_a_lost_answer_does_not_make_the_refresh_token_unspent() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let test = Test::new().sandbox();
    let gateway = Gateway::start(test.server().address());
    let test = at(test, gateway.address());
    test.words("login").run().success();
    let old = format!("Authorization: Bearer {}\n", test.access_token());
    gateway.does(|connection| {
        let request = read(connection).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        assert!(request.contains("refresh_token"));
        match ASKED.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(()),
            _ => connection.write_all(answer(503, "application/json", "{}").as_bytes()),
        }
    });
    // Nor does one that comes in a later run.
    for asked in [4, 8] {
        test.words("refresh").run().fails_with(6).stderr_has("status 503");
        assert_eq!(gateway.done(), asked);
    }
    for _ in 0..2 {
        let header = test.words(&format!("header {DUE}")).prints_secrets().run().success();
        header.stdout_is(&old).stderr_has("got no answer");
    }
    assert_eq!(gateway.done(), 8);
    gateway.behaves();
    test.words("refresh").run().success();
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (1, 0));
}

#[test]
fn a_signal_between_two_tries_acts_at_once_and_leaves_nothing_behind() {
    for (signal, command) in [(Signal::INT, "header"), (Signal::TERM, "refresh")] {
        let test = expired();
        // Longer than any test may take.
        strike(&test, None, 503, Some("36000"));
        let running = start(&test, &format!("{command} -v --timeout 20h"), AGAIN);
        assert!(!journal(&test).exists());
        running.signal(signal);
        running.ends().fails_with(128 + signal.as_raw());
        assert!(!journal(&test).exists());
        mend(&test);
        assert_session_lives(&test);
        assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (2, 0));
    }
}

#[test]
fn whoever_waits_for_a_process_that_tries_again_has_its_token() {
    let test = expired();
    strike(&test, Some(1), 503, Some("1"));
    let trying = start(&test, "refresh -v", AGAIN);
    let opens = Opens::of(&slot_file(&test, "locks", ".lock"));
    let wait = |_| {
        let waiting = test.words("header").prints_secrets().start();
        opens.wait_for_one();
        waiting
    };
    let waiting: Vec<_> = (0..5).map(wait).collect();
    trying.ends().success();
    for waiting in waiting {
        let header = format!("Authorization: Bearer {}\n", test.access_token());
        waiting.ends().success().stdout_is(&header).stderr_is("");
    }
    assert_eq!((counts(&test).refresh_token, counts(&test).reuse), (2, 0));
}

#[test]
fn a_revocation_may_be_repeated() {
    let asked = AtomicUsize::new(0);
    let server = RawServer::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => answer(503, "application/json", "{}"),
        _ => answer(200, "application/json", "{}"),
    });
    let revocation_url = format!("revocation_url = \"{}\"\n", server.url("/revoke"));
    let test = Test::new().sandbox().variant("revokes", Provider::Standard, &revocation_url);
    let test = test.env("OAUTHCTL_PROFILE", "revokes");
    test.words("login").run().success();
    let outcome = test.words("logout -v").run().success();
    assert_eq!(outcome.stderr.matches(AGAIN).count(), 2, "{outcome:#?}");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn doctor_tells_what_it_finds_and_tries_nothing_again() {
    let server = RawServer::start(|_| answer(503, "application/json", "{}"));
    let profile = format!("token_url = \"{}\"\nclient_id = \"c\"\n", server.url("/token"));
    let test = Test::new().profile("busy", &profile);
    test.words("doctor -p busy -v").run().success().stdout_has("answers with status 503");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_token_without_a_store_is_tried_for_as_well() {
    let test = fresh();
    strike(&test, Some(2), 503, None);
    test.words("client-token --no-store").prints_secrets().run().success();
    assert_eq!(counts(&test).client_credentials, 3);
}
