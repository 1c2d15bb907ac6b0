//! URLs that must never make us knock on an inside door, each with the reason of its refusal.

mod refused;

use crate::channel::{UrlRefusal, WebhookUrl};
use refused::REFUSED;

#[test]
fn every_inside_door_stays_shut_for_its_own_reason() {
    let cases: usize = REFUSED.iter().map(|(_, _, urls)| urls.len()).sum();
    assert!(cases >= 160, "{cases}");
    let mut wrong = Vec::new();
    for (kind, reason, urls) in REFUSED {
        for url in *urls {
            match WebhookUrl::parse(url, false) {
                Err(refusal) if refusal == *reason => {}
                other => wrong.push(format!("{kind}: {url:?} {:?}", other.map(|_| "passes"))),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let long = format!("https://hooks.example/{}", "a".repeat(2_048));
    assert_eq!(WebhookUrl::parse(&long, false), Err(UrlRefusal::TooLong));
}

#[test]
fn public_names_and_the_neighbours_of_special_ranges_pass() {
    for url in [
        "https://hooks.org-1.example/tocsin?key=1",
        "https://hooks.org-1.example:443/",
        "https://hooks.org-1.example",
        "https://hooks.org-1.example/a/../b/%40?x=@",
        "HTTPS://HOOKS.EXAMPLE/",
        "https://xn--bcher-kva.example/",
        "https://metadata.goog.example/",
        "https://localhost.example/",
        "https://93.184.215.14/",
        "https://1.0.0.0/",
        "https://9.255.255.255/",
        "https://11.0.0.0/",
        "https://100.63.255.255/",
        "https://100.128.0.0/",
        "https://126.255.255.255/",
        "https://128.0.0.0/",
        "https://169.253.255.255/",
        "https://169.255.0.0/",
        "https://172.15.255.255/",
        "https://172.32.0.0/",
        "https://192.0.1.0/",
        "https://192.0.3.0/",
        "https://192.167.255.255/",
        "https://192.169.0.0/",
        "https://198.17.255.255/",
        "https://198.20.0.0/",
        "https://223.255.255.255/",
        "https://[2000::1]/",
        "https://[2001:200::]/",
        "https://[2001:db7:ffff::1]/",
        "https://[2001:db9::]/",
        "https://[2003::]/",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
        "https://[3ffe::1]/",
        "https://[3fff:1000::]/",
    ] {
        assert!(WebhookUrl::parse(url, false).is_ok(), "{url}");
    }
}

#[test]
fn the_setting_for_tests_opens_loopback_and_nothing_else() {
    assert!(WebhookUrl::parse("http://127.0.0.1:8080/", true).is_ok());
    assert!(WebhookUrl::parse("http://[::1]:8080/", true).is_ok());
    for url in [
        "http://10.0.0.1/",
        "http://hooks.example/",
        "http://169.254.169.254/",
        "https://127.0.0.1/",
        "http://localhost/",
        "http://user@127.0.0.1/",
    ] {
        assert!(WebhookUrl::parse(url, true).is_err(), "{url}");
    }
}
