//! URLs that must never make us knock on an inside door.

use crate::channel::WebhookUrl;

const REFUSED: &[&str] = &[
    "",
    "hooks.example",
    "ftp://hooks.example/",
    "file:///etc/passwd",
    "gopher://hooks.example/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "http://hooks.example/",
    "http://93.184.215.14/",
    "https://hooks.example:80/",
    "https://hooks.example:8443/",
    "https://hooks.example:22/",
    "https://user@hooks.example/",
    "https://user:password@hooks.example/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://intranet/",
    "https://router.local/",
    "https://db.internal/",
    "https://metadata.google.internal/",
    "https://nas.lan/",
    "https://printer.home.arpa/",
    "https://hidden.onion/",
    "https://0.0.0.0/",
    "https://0/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.255.255.254/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://１２７.0.0.1/",
    "https://10.0.0.1/",
    "https://10.255.255.255/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.0.1/",
    "https://192.168.255.255/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.0.1/",
    "https://100.64.0.1/",
    "https://100.127.255.255/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://192.0.0.1/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.19.255.255/",
    "https://198.51.100.1/",
    "https://203.0.113.1/",
    "https://224.0.0.1/",
    "https://239.255.255.255/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:93.184.215.14]/",
    "https://[::127.0.0.1]/",
    "https://[::7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::10.0.0.1]/",
    "https://[64:ff9b:1::1]/",
    "https://[100::1]/",
    "https://[2001::1]/",
    "https://[2001:0:7f00:1::]/",
    "https://[2001:2::1]/",
    "https://[2001:10::1]/",
    "https://[2001:db8::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2002:a00:1::1]/",
    "https://[3fff::1]/",
    "https://[5f00::1]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
];

#[test]
fn every_inside_door_stays_shut() {
    assert!(REFUSED.len() >= 80);
    for url in REFUSED {
        assert!(WebhookUrl::parse(url, false).is_err(), "{url}");
    }
    let long = format!("https://hooks.example/{}", "a".repeat(2_048));
    assert!(WebhookUrl::parse(&long, false).is_err());
}

#[test]
fn public_names_and_addresses_pass() {
    for url in [
        "https://hooks.org-1.example/tocsin?key=1",
        "https://hooks.org-1.example:443/",
        "https://93.184.215.14/",
        "https://172.15.0.1/",
        "https://172.32.0.1/",
        "https://100.63.255.255/",
        "https://198.20.0.1/",
        "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
        "https://xn--bcher-kva.example/",
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
    ] {
        assert!(WebhookUrl::parse(url, true).is_err(), "{url}");
    }
}
