//! `RotateWebhookKeys`: new keys for a contact's webhook; those before sign too until the rotation ends.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel, QuerySelect};
use tocsin_platform::clock::from_ms;
use tocsin_platform::failure::Failure;
use tocsin_proto::convert::timestamp;
use tocsin_proto::notification::v1::{RotateWebhookKeysRequest, RotateWebhookKeysResponse};

use crate::changes::{self, By};
use crate::channel::Scheme;
use crate::contact::{Details, Rotation};
use crate::entity::contact::{ActiveModel, Entity};
use crate::office::Office;

pub(super) async fn rotate_webhook_keys(
    office: &Office,
    request: RotateWebhookKeysRequest,
    actor: &str,
) -> Result<RotateWebhookKeysResponse, Failure> {
    let transaction = office.database.begin().await?;
    let row = Entity::find_by_id(request.contact_id.as_str()).lock_exclusive().one(&transaction).await?;
    let row = row.ok_or_else(super::unknown_contact)?;
    let key = office.secrets.contact_key();
    let mut details =
        Details::open(key, &row.contact_id, &row.sealed).map_err(|_| Failure::internal("CONTACT_NOT_OPENED"))?;
    if details.webhook.is_empty() {
        return Err(super::no_webhook());
    }
    let now = office.clock.now();
    let rotation = Rotation { now, overlap_hours: office.config.webhook.rotation_hours };
    details.rotate_webhook_keys(rotation).map_err(|_| Failure::internal("NO_RANDOMNESS"))?;
    let sealed = details.seal(key, &row.contact_id).map_err(|_| Failure::internal("CONTACT_NOT_SEALED"))?;
    let changed = ActiveModel {
        sealed: Set(sealed),
        version: Set(row.version + 1),
        updated_at_ms: Set(office.clock.now_ms()),
        ..row.into_active_model()
    };
    changed.update(&transaction).await?;
    let subject = format!("contact {}", request.contact_id);
    changes::record(&transaction, office, &By { actor, reason: "" }, "contact.rotate_keys", &subject).await?;
    tocsin_platform::database::commit(transaction, "notification.rotate_webhook_keys").await?;
    let before = details.webhook_keys_before.first();
    Ok(RotateWebhookKeysResponse {
        webhook_secret: Some(details.webhook_secret.clone()).filter(|_| details.signs(Scheme::V1)).unwrap_or_default(),
        webhook_public_key: details.webhook_public_key(),
        before_signs_until: before.map(|before| timestamp(from_ms(before.until_ms))),
    })
}
