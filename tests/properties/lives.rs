//! Lives of tokens by any clock, and with any end.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use oauthctl::output::humane;
use oauthctl::profile::dialect::ResponseDialect;
use oauthctl::token::{Life, MinTtl, UnixTime};
use oauthctl::wire::redact::Redactor;
use oauthctl::wire::response::{decode, expires_at};
use proptest::prelude::*;

use super::{answer, cases};

/// Any moment, most often one that matters: near to others, or where all moments end.
fn moment() -> impl Strategy<Value = UnixTime> {
    prop_oneof![
        -200_000..200_000_i64,
        (0..200_i64).prop_map(|n| i64::MIN + n),
        (0..200_i64).prop_map(|n| i64::MAX - n),
        any::<i64>(),
    ]
}

fn life() -> impl Strategy<Value = Life> {
    (moment(), proptest::option::of(moment()))
        .prop_map(|(obtained_at, expires_at)| Life { obtained_at, expires_at })
}

fn min_ttl() -> impl Strategy<Value = MinTtl> {
    prop_oneof![Just(MinTtl::Default), moment().prop_map(MinTtl::Explicit)]
}

proptest! {
    #![proptest_config(cases(2048))]

    #[test]
    fn nobody_is_promised_more_life_than_was_given(life in life(), now in moment()) {
        let Some(left) = life.expires_in(now) else { return Ok(()) };
        let given = life.expires_at.unwrap().saturating_sub(life.obtained_at).max(0);
        prop_assert!((0..=given).contains(&left));
    }

    #[test]
    fn as_time_passes_there_is_never_more_life(life in life(), a in moment(), b in moment()) {
        prop_assert!(life.expires_in(a.max(b)) <= life.expires_in(a.min(b)));
    }

    #[test]
    fn what_is_fresh_lives_and_is_of_its_time(
        life in life(),
        now in moment(),
        min_ttl in min_ttl(),
    ) {
        if life.expires_at.is_some() && life.is_fresh(now, min_ttl) {
            prop_assert!(life.expires_in(now) > Some(0));
            prop_assert!(life.obtained_at <= now.saturating_add(60));
        }
    }

    #[test]
    fn what_was_given_now_with_any_life_at_all_is_fresh(now in moment(), life in 1..i64::MAX) {
        let life = Life { obtained_at: now, expires_at: Some(now.saturating_add(life)) };
        prop_assert!(life.is_fresh(now, MinTtl::Default) || now == i64::MAX);
    }

    #[test]
    fn every_end_can_be_told(life in life(), now in moment()) {
        let (end, expiry) = (humane::end(life, now), humane::expiry(life, now));
        prop_assert!(expiry.ends_with(&end), "{expiry}, {end}");
        prop_assert_eq!(life.expires_in(now) == Some(0), expiry.starts_with("expired "));
    }

    /// Else every run would ask for another one.
    #[test]
    fn whatever_clock_a_server_has_its_token_is_fresh_when_it_comes(
        skew in prop_oneof![-200_000..200_000_i64, -1_000_000_000..1_000_000_000_i64],
        life in 2..200_000_i64,
        age in 0..60_i64,
    ) {
        const NOW: UnixTime = 1_767_225_600;
        let iat = NOW + skew - age.min(life / 2);
        let claims = format!(r#"{{"iat":{iat},"exp":{}}}"#, iat + life);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims);
        let body = format!(r#"{{"access_token":"e30.{claims}.s"}}"#);
        let dialect = ResponseDialect::default();
        let granted = decode(&answer(200, body.as_bytes()), &dialect, &Redactor::new([]));
        let end = expires_at(&granted.unwrap(), NOW, &dialect);
        let given = Life { obtained_at: NOW, expires_at: end };
        prop_assert!(given.is_fresh(NOW, MinTtl::Default), "{given:?}");
        prop_assert!(given.expires_in(NOW) <= Some(life), "{given:?}");
    }
}
