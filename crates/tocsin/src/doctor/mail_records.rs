//! What others look up before they believe our e-mail: SPF of the return path, DKIM of our keys, DMARC of the sender.

use tocsin_notification::config::EmailConfig;
use tocsin_notification::inspect::{DkimRecord, dkim_records};

use super::Finding;
use super::dns::{NameServers, NoTexts, Texts};

const AREA: &str = "mail records";
/// Names that are never published (RFC 2606, 6761 and 6762).
const RESERVED: [&str; 5] = ["example", "test", "invalid", "localhost", "local"];

/// Asks the machine's name servers, when there is e-mail at all.
pub(super) async fn check(config: &EmailConfig) -> Vec<Finding> {
    if config.all_smarthosts().is_empty() {
        return Vec::new();
    }
    let servers = NameServers::of_machine().await;
    look(config, async |name| servers.texts(name).await).await
}

/// Looks at each record.
pub(super) async fn look(config: &EmailConfig, lookup: impl AsyncFn(&str) -> Texts) -> Vec<Finding> {
    let sender = domain(&config.from);
    let returns = domain(config.return_path());
    let is_reserved = |domain: &str| RESERVED.contains(&domain.rsplit('.').next().unwrap_or(domain));
    if is_reserved(sender) {
        return vec![Finding::ok(AREA, format!("{sender} is a name for trials: nothing is published for it"))];
    }
    let records = match dkim_records(config) {
        Ok(records) => records,
        Err(error) => return vec![Finding::fail(AREA, error, "correct `notification.email`")],
    };
    let published = lookup(returns).await;
    if published == Err(NoTexts::Away) {
        let found = "the name servers do not answer: SPF, DKIM and DMARC were not looked at";
        return vec![Finding::warn(AREA, found, "run doctor where names resolve")];
    }
    let mut findings = vec![spf(returns, &published)];
    if records.is_empty() {
        let advice = "make a key and set `notification.email.dkim`: many mail servers put unsigned mail aside";
        findings.push(Finding::warn(AREA, "no DKIM key is set: messages are not signed", advice));
    }
    for record in &records {
        findings.push(dkim(record, &lookup(&record.name).await));
    }
    findings.push(dmarc(sender, &lookup).await);
    findings
}

fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or(address, |(_, domain)| domain)
}

fn spf(domain: &str, published: &Texts) -> Finding {
    let is_spf = |text: &&String| text.split_whitespace().next() == Some("v=spf1");
    let found: Vec<&String> = published.iter().flatten().filter(is_spf).collect();
    match found.as_slice() {
        [] => Finding::warn(
            AREA,
            format!("{domain} publishes no SPF record"),
            format!("publish a TXT record at {domain}: v=spf1, the smarthosts' addresses, -all"),
        ),
        [one] if one.split_whitespace().any(|term| matches!(term, "+all" | "all")) => Finding::fail(
            AREA,
            format!("the SPF record of {domain} lets everybody send"),
            "end it with -all instead of all",
        ),
        [_] => Finding::ok(AREA, format!("{domain} publishes an SPF record")),
        several => Finding::fail(
            AREA,
            format!("{domain} publishes {} SPF records, which counts as an error", several.len()),
            "put them together in one",
        ),
    }
}

/// The published key must be ours.
fn dkim(record: &DkimRecord, published: &Texts) -> Finding {
    let name = &record.name;
    let key = |text: &str| tag(text, "p");
    let ours = key(&record.value);
    let advice = format!("publish a TXT record at {name}: {}", record.value);
    match published {
        Err(NoTexts::Away) => Finding::warn(AREA, format!("{name} was not looked at: no answer in time"), "look again"),
        Ok(texts) if texts.iter().any(|text| key(text) == ours) => {
            Finding::ok(AREA, format!("{name} publishes our DKIM key"))
        }
        Ok(texts) if texts.iter().any(|text| key(text).is_some()) => Finding::fail(
            AREA,
            format!("{name} publishes another DKIM key than ours: our signatures are wrong"),
            advice,
        ),
        Ok(_) | Err(NoTexts::Absent) => Finding::fail(AREA, format!("{name} publishes no DKIM key"), advice),
    }
}

/// The value of a tag in a list like `v=DKIM1; k=rsa; p=...`, without blanks.
fn tag(text: &str, name: &str) -> Option<String> {
    text.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key.trim() == name).then(|| value.chars().filter(|letter| !letter.is_whitespace()).collect())
    })
}

/// A policy of the domain itself, or of the one above it.
async fn dmarc(domain: &str, lookup: &impl AsyncFn(&str) -> Texts) -> Finding {
    let above = domain.split_once('.').map(|(_, above)| above).filter(|above| above.contains('.'));
    for place in [Some(domain), above].into_iter().flatten() {
        let published = lookup(&format!("_dmarc.{place}")).await;
        if published == Err(NoTexts::Away) {
            let found = format!("_dmarc.{place} was not looked at: no answer in time");
            return Finding::warn(AREA, found, "look again");
        }
        let policy = published.iter().flatten().find(|text| tag(text, "v").as_deref() == Some("DMARC1"));
        if let Some(policy) = policy {
            let p = tag(policy, "p").unwrap_or_else(|| "none".to_owned());
            return Finding::ok(AREA, format!("{place} publishes a DMARC policy (p={p})"));
        }
    }
    let advice = format!("publish a TXT record at _dmarc.{domain}: v=DMARC1; p=quarantine");
    Finding::warn(AREA, format!("{domain} publishes no DMARC policy"), advice)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tocsin_notification::NotificationConfig;
    use tocsin_platform::config::Settings;

    use super::super::Verdict;
    use super::*;

    /// The settings of a sender with one key, and the record that the key needs.
    fn sender(folder: &std::path::Path) -> (EmailConfig, String) {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let file = folder.join("dkim.pem");
        std::fs::write(&file, pair.serialize_pem()).unwrap();
        let text = format!(
            "[notification.email]\nhost = \"mail.network.org\"\nfrom = \"alerts@mail.network.org\"\n\
             return_path = \"bounces@back.network.org\"\n\
             [[notification.email.dkim]]\nselector = \"one\"\nkey_file = \"{}\"\n",
            file.display()
        );
        let config = NotificationConfig::read(&Settings::from_text(&text).unwrap()).unwrap().email;
        let records = dkim_records(&config).unwrap();
        assert_eq!(records[0].name, "one._domainkey.mail.network.org");
        (config, records[0].value.clone())
    }

    async fn verdicts(config: &EmailConfig, published: &BTreeMap<&str, Vec<String>>) -> Vec<(Verdict, String)> {
        let findings = look(config, async |name| published.get(name).cloned().ok_or(NoTexts::Absent)).await;
        findings.into_iter().map(|finding| (finding.verdict, finding.found)).collect()
    }

    #[tokio::test]
    async fn what_is_published_must_be_ours_and_one() {
        let folder = tempfile::tempdir().unwrap();
        let (config, ours) = sender(folder.path());
        let texts = |text: &str| vec!["other".to_owned(), text.to_owned()];
        let mut published = BTreeMap::from([
            ("back.network.org", texts("v=spf1 ip4:192.0.2.1 -all")),
            ("one._domainkey.mail.network.org", texts(&ours.replace("p=", "p= "))),
            ("_dmarc.network.org", texts("v=DMARC1; p=reject")),
        ]);
        let good = verdicts(&config, &published).await;
        assert!(good.iter().all(|(verdict, _)| *verdict == Verdict::Ok), "{good:?}");
        assert!(good[2].1.contains("network.org publishes a DMARC policy (p=reject)"), "{good:?}");
        published.insert("back.network.org", vec!["v=spf1 -all".to_owned(), "v=spf1 +all".to_owned()]);
        published.insert("one._domainkey.mail.network.org", texts("v=DKIM1; k=ed25519; p=AAAA"));
        published.remove("_dmarc.network.org");
        let bad: Vec<_> = verdicts(&config, &published).await.into_iter().map(|(verdict, _)| verdict).collect();
        assert_eq!(bad, [Verdict::Fail, Verdict::Fail, Verdict::Warn]);
        published.clear();
        let none: Vec<_> = verdicts(&config, &published).await.into_iter().map(|(verdict, _)| verdict).collect();
        assert_eq!(none, [Verdict::Warn, Verdict::Fail, Verdict::Warn]);
    }

    #[tokio::test]
    async fn offline_it_says_so_and_a_trial_name_is_not_looked_up() {
        let folder = tempfile::tempdir().unwrap();
        let (mut config, _) = sender(folder.path());
        let offline = look(&config, async |_| Err(NoTexts::Away)).await;
        assert_eq!((offline.len(), offline[0].verdict), (1, Verdict::Warn));
        config.from = "alerts@tocsin.example".to_owned();
        let trial = look(&config, async |name| panic!("{name} is looked up")).await;
        assert_eq!((trial.len(), trial[0].verdict), (1, Verdict::Ok));
    }
}
