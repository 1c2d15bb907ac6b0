//! What reporters were answered: what was promised, what has to be asked again, and what should never be said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::walk::Accepted;

/// What one attempt to report came to.
#[derive(Debug)]
pub enum Answered {
    /// Accepted, and so promised.
    Accepted(Accepted),
    /// Away, draining or cut off in the middle: nothing was promised, and the same key may be sent again.
    Nothing,
    /// An answer that no good report should get.
    Refused(String),
}

/// What all reporters were answered, by idempotency key.
#[derive(Debug, Default)]
pub struct Answers {
    /// What was promised.
    pub accepted: BTreeMap<String, Accepted>,
    /// Keys whose answer never came; they are sent again.
    pub unanswered: BTreeSet<String>,
    /// Keys that were answered twice, with different ids or receipts.
    pub contradictions: Vec<String>,
    /// Answers that no good report should get.
    pub refused: Vec<String>,
}

impl Answers {
    /// Notes what an attempt with this key came to.
    pub fn note(&mut self, key: String, answered: Answered) {
        match answered {
            Answered::Accepted(accepted) => {
                if self.accepted.get(&key).is_some_and(|earlier| *earlier != accepted) {
                    self.contradictions.push(key.clone());
                }
                self.unanswered.remove(&key);
                self.accepted.insert(key, accepted);
            }
            Answered::Nothing => {
                self.unanswered.insert(key);
            }
            Answered::Refused(answer) => self.refused.push(answer),
        }
    }
}

/// Reports once over the JSON door; `url` is intake's `/v1/reports`.
pub async fn report_once(client: &reqwest::Client, url: &str, report: &Value, key: &str) -> Answered {
    let sent = client.post(url).header("idempotency-key", key).json(report).send().await;
    let status = sent.as_ref().ok().map(|answer| answer.status().as_u16());
    let body: Option<Value> = match sent {
        Ok(answer) => answer.json().await.ok(),
        Err(_) => None,
    };
    match (status, body) {
        (Some(201), Some(body)) => match serde_json::from_value(body) {
            Ok(accepted) => Answered::Accepted(accepted),
            Err(error) => Answered::Refused(format!("201 with an answer that cannot be read: {error}")),
        },
        // 409: an attempt that was cut off is still being worked on.
        (None | Some(201 | 409 | 503), _) => Answered::Nothing,
        (Some(status), body) => Answered::Refused(format!("{status}: {}", body.unwrap_or_default())),
    }
}
