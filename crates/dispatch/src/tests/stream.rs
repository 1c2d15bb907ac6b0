//! The feed as server-sent events.

use reqwest::{Client, Response};
use serde_json::Value;
use tocsin_platform::testing::TestDatabase;

use super::harness::{Draft, LIMIT, World, draft, small_network};

struct Events {
    response: Response,
    read: String,
}

#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

async fn open(world: &World, key: &str, cursor: Option<&str>) -> Response {
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(format!("{}/v1/alerts/stream", world.http)).header("authorization", key);
    if let Some(cursor) = cursor {
        request = request.header("last-event-id", cursor);
    }
    request.send().await.unwrap()
}

impl Events {
    async fn open(world: &World, key: &str, cursor: Option<&str>) -> Self {
        let response = open(world, key, cursor).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: String::new() }
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let event = parse(event);
                self.read = rest.to_owned();
                match event {
                    Some(event) => return event,
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(LIMIT, self.response.chunk()).await.expect("the stream goes on");
            let chunk = chunk.unwrap().expect("the stream is open");
            self.read.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

/// Nothing for a comment.
fn parse(text: &str) -> Option<Event> {
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        lines.next().unwrap_or_default().to_owned()
    };
    let data = field("data");
    (!data.is_empty()).then(|| Event {
        id: field("id"),
        name: field("event"),
        data: serde_json::from_str(&data).unwrap(),
    })
}

async fn released(world: &World) -> Draft {
    let draft = draft(world);
    world.release(&draft).await;
    draft
}

#[tokio::test]
async fn events_resume_after_the_last_id() {
    for database in TestDatabase::both().await {
        let world = World::start(database).await;
        world.import(small_network()).await.unwrap();
        let first = released(&world).await;
        let key = world.member("org-001").await;
        let mut events = Events::open(&world, &key, None).await;
        let one = events.next().await;
        assert_eq!(one.name, "released");
        assert_eq!(one.data["alert"]["alert_id"], first.alert.to_string());
        assert_eq!(one.data["alert"]["texts"][0]["headline"], "canary-headline-en");
        assert_eq!(one.data["alert"]["texts"].as_array().unwrap().len(), 1);
        drop(events);
        let second = released(&world).await;
        let mut events = Events::open(&world, &key, Some(&one.id)).await;
        assert_eq!(events.next().await.data["alert"]["alert_id"], second.alert.to_string());
        world.withdraw(first.alert, 0).await;
        let recalled = events.next().await;
        assert_eq!(
            (recalled.name.as_str(), &recalled.data["alert"]["state"]),
            ("withdrawn", &Value::from("withdrawn"))
        );
        world.drain();
        let end = events.next().await;
        assert_eq!((end.name.as_str(), &end.data["reason"]), ("end", &Value::from("STREAM_ENDED")));
        drop(events);
        world.stop().await;
    }
}

#[tokio::test]
async fn a_stream_that_cannot_begin_says_why() {
    let world = World::start(TestDatabase::sqlite()).await;
    let key = world.member("org-001").await;
    for (key, cursor, status, reason) in [
        (key.as_str(), Some("0123abcd-1"), 410, "CURSOR_EXPIRED"),
        (key.as_str(), Some("x"), 400, "CURSOR_MALFORMED"),
        ("Bearer tcs_wrong", None, 401, ""),
    ] {
        let response = open(&world, key, cursor).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = response.text().await.unwrap();
        assert!(body.contains(reason), "{body}");
    }
}
