//! Addresses as people see them who need not know them: enough to recognise one, too little to use it.

use tocsin_domain::channel::Channel;

/// What stands for what is hidden, however long it is.
const HIDDEN: &str = "***";

/// An address of a channel, masked.
pub(crate) fn masked(channel: Channel, address: &str) -> String {
    if address.is_empty() {
        return String::new();
    }
    match channel {
        Channel::Email => match address.rsplit_once('@') {
            Some((local, domain)) => format!("{}{HIDDEN}@{domain}", beginning(local, 1)),
            None => HIDDEN.to_owned(),
        },
        Channel::Sms => number(address),
        Channel::Signal if address.starts_with('+') => number(address),
        Channel::Signal => format!("{}{HIDDEN}", beginning(address, 2)),
        Channel::Webhook => {
            let host = url::Url::parse(address).ok();
            let host = host.as_ref().and_then(url::Url::host_str).unwrap_or_default();
            format!("https://{host}/{HIDDEN}")
        }
        Channel::Matrix => match address.split_once(':') {
            Some((local, server)) => format!("{}{HIDDEN}:{server}", beginning(local, 2)),
            None => format!("{}{HIDDEN}", beginning(address, 2)),
        },
    }
}

/// The country's first digits and the last two.
fn number(number: &str) -> String {
    let end = number.chars().rev().take(2).collect::<Vec<_>>().into_iter().rev().collect::<String>();
    format!("{}{HIDDEN}{end}", beginning(number, 3))
}

fn beginning(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_can_be_recognised_and_not_used() {
        check(Channel::Email, "alerts.desk@org-1.example", "a***@org-1.example");
        check(Channel::Sms, "+447700900123", "+44***23");
        check(Channel::Signal, "+447700900123", "+44***23");
        check(Channel::Signal, "anna.01", "an***");
        check(Channel::Matrix, "!room:matrix.example", "!r***:matrix.example");
        check(Channel::Matrix, "!31hneApxJ_1o", "!3***");
        check(Channel::Webhook, "https://hooks.org-1.example/secret/path?token=1", "https://hooks.org-1.example/***");
        check(Channel::Email, "", "");
    }

    fn check(channel: Channel, address: &str, expected: &str) {
        assert_eq!(masked(channel, address), expected);
    }
}
