//! `GetNotice`: one notice with every attempt at it, what its gateways were given, and what was changed by hand.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{Attempt, Bounce, GetNoticeResponse, Submission};

use super::wire;
use crate::changes;
use crate::entity::sms::submission;
use crate::entity::{attempt, notice};
use crate::mail::rows::bounce;
use crate::office::Office;
use crate::selection::notice_id;

/// `names` says whether the caller may see who is written to.
pub(super) async fn get_notice(office: &Office, given: &str, names: bool) -> Result<GetNoticeResponse, Failure> {
    let (id, reader) = (notice_id(given)?, office.database.reader());
    let row = notice::Entity::find_by_id(id).one(reader).await?;
    let row = row.ok_or_else(|| {
        Failure::not_found("UNKNOWN_NOTICE", "there is no notice of this id; `tocsin notice list` shows them")
    })?;
    let bulletin = office.bulletin(reader, row.bulletin_id, row.revision).await?;
    let attempts = attempt::Entity::find()
        .filter(attempt::Column::NoticeId.eq(id))
        .order_by_asc(attempt::Column::StartedAtMs)
        .order_by_asc(attempt::Column::AttemptId)
        .all(reader)
        .await?;
    let submissions = submission::Entity::find()
        .filter(submission::Column::NoticeId.eq(id))
        .order_by_asc(submission::Column::Gateway)
        .all(reader)
        .await?;
    let bounce = bounce::Entity::find_by_id(id).one(reader).await?;
    let changes = changes::of_notice(reader, id).await?;
    Ok(GetNoticeResponse {
        notice: Some(wire::notice(row, names)),
        short_code: bulletin.as_ref().map(|bulletin| bulletin.row.short_code.clone()).unwrap_or_default(),
        expires_at: bulletin.map(|bulletin| timestamp(from_ms(bulletin.row.expires_at_ms))),
        attempts: attempts.into_iter().map(attempt).collect(),
        submissions: submissions.into_iter().map(submission).collect(),
        bounce: bounce.map(|row| Bounce {
            class: row.class,
            status: row.status,
            at: Some(timestamp(from_ms(row.at_ms))),
        }),
        changes: changes.into_iter().map(|row| wire::change(row, names)).collect(),
    })
}

fn attempt(row: attempt::Model) -> Attempt {
    Attempt {
        number: u32::try_from(row.number).unwrap_or(0),
        started_at: Some(timestamp(from_ms(row.started_at_ms))),
        milliseconds: u32::try_from(row.ended_at_ms - row.started_at_ms).unwrap_or(0),
        gateway: row.gateway.unwrap_or_default(),
        outcome: row.outcome,
        code: row.code,
        answer: row.answer.unwrap_or_default(),
    }
}

fn submission(row: submission::Model) -> Submission {
    let standing = match (row.failed, row.heard, row.refused, row.taken_at_ms) {
        (true, ..) => "failed",
        (_, true, ..) => "on_its_way",
        (_, _, true, _) => "refused",
        (_, _, _, Some(_)) => "taken",
        (_, _, _, None) => "unanswered",
    };
    Submission {
        gateway: row.gateway,
        tries: u32::try_from(row.tries).unwrap_or(0),
        taken_at: row.taken_at_ms.map(|at| timestamp(from_ms(at))),
        standing: standing.to_owned(),
    }
}
