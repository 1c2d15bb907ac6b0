//! The page behind the link of a message: looking at it never acknowledges, one press does.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method};
use tocsin_platform::testing::{TestDatabase, wait_until};
use tocsin_proto::catalogue::{NOTICES_WITHDRAWN, RESPONSE_RECORDED};
use tocsin_proto::event::v1::{NoticesWithdrawn, ResponseRecorded};

use super::harness::{Draft, LIMIT, World, draft, short_code, small_network};

struct Page {
    status: u16,
    headers: HeaderMap,
    body: String,
}

async fn load(world: &World, method: Method, path: &str) -> Page {
    let client = Client::builder().no_proxy().build().unwrap();
    let response = client.request(method, format!("{}/acknowledge/{path}", world.http)).send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Page { status, headers, body: response.text().await.unwrap() }
}

async fn ready(database: TestDatabase) -> (World, Draft, String) {
    let world = World::start(database).await;
    world.import(small_network()).await.unwrap();
    let draft = draft(&world);
    world.release(&draft).await;
    let token = world.requested(4).await[0].recipients[0].acknowledge_token.clone();
    (world, draft, token)
}

fn answers(world: &World) -> Vec<ResponseRecorded> {
    world.triage.heard::<ResponseRecorded>(&RESPONSE_RECORDED)
}

#[tokio::test]
async fn looking_records_nothing_and_one_press_does() {
    for database in TestDatabase::both().await {
        let (world, draft, token) = ready(database).await;
        for method in [Method::GET, Method::HEAD, Method::GET] {
            let page = load(&world, method.clone(), &token).await;
            assert_eq!(page.status, 200, "{method}");
            if method == Method::GET {
                assert!(page.body.contains(&short_code(draft.alert)) && page.body.contains("<form method=\"post\""));
                assert!(
                    !page.body.contains("canary") && !page.body.contains("XA-2026") && !page.body.contains("org-0")
                );
            }
            let policy = page.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            assert_eq!(page.headers["referrer-policy"], "no-referrer");
            assert_eq!(page.headers["cache-control"], "no-store");
        }
        assert_eq!(load(&world, Method::PUT, &token).await.status, 405);
        wait_until("all is settled", LIMIT, async || world.dispatch.outbox.lag().await.unwrap().owed == 0).await;
        assert!(answers(&world).is_empty(), "nobody pressed yet");
        for _ in 0..2 {
            let page = load(&world, Method::POST, &token).await;
            assert_eq!(page.status, 200);
            assert!(!page.body.contains("<button"));
        }
        wait_until("triage hears of it", LIMIT, async || answers(&world).len() == 1).await;
        let heard = answers(&world).remove(0);
        assert_eq!((heard.organisation_id.as_str(), heard.response.as_str()), ("org-001", "acknowledged"));
        let withdrawn = || world.notification.heard::<NoticesWithdrawn>(&NOTICES_WITHDRAWN);
        wait_until("the others are stopped", LIMIT, async || withdrawn().len() == 1).await;
        assert!(!load(&world, Method::GET, &token).await.body.contains("<button"), "nothing is left to press");
        world.stop().await;
    }
}

#[tokio::test]
async fn a_forged_link_opens_nothing() {
    let (world, draft, token) = ready(TestDatabase::sqlite()).await;
    let mut forged = token.clone();
    let last = if forged.pop() == Some('A') { 'E' } else { 'A' };
    forged.push(last);
    let unknown = world.dispatch.keys.issue(draft.alert, &"org-999-c1".parse().unwrap());
    let partner = world.dispatch.keys.issue(draft.alert, &"org-003-c1".parse().unwrap());
    let long = "A".repeat(4_000);
    for path in [forged.as_str(), unknown.as_str(), partner.as_str(), "x", "%00", "%ff", "..%2f..", long.as_str()] {
        for method in [Method::GET, Method::POST] {
            let page = load(&world, method, path).await;
            assert!(matches!(page.status, 400 | 404), "{path}: {}", page.status);
            assert!(!page.body.contains(&short_code(draft.alert)));
        }
    }
    assert!(answers(&world).is_empty());
}

#[tokio::test]
async fn the_page_speaks_the_contacts_language_and_knows_a_withdrawal() {
    let (world, draft, token) = ready(TestDatabase::sqlite()).await;
    let arabic = load(&world, Method::GET, &format!("{token}?lang=ar")).await;
    assert!(arabic.body.contains("<html lang=\"ar\" dir=\"rtl\">"));
    let other = load(&world, Method::GET, &format!("{token}?lang=quc")).await;
    assert!(other.body.contains("<html lang=\"en\" dir=\"ltr\">"));
    world.withdraw(draft.alert, 0).await;
    for method in [Method::GET, Method::POST] {
        let page = load(&world, method, &format!("{token}?lang=fr")).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains("retirée") && !page.body.contains("<button"), "{}", page.body);
    }
    assert!(answers(&world).is_empty());
}
