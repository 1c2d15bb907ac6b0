//! notification's tables. Addresses, numbers and secrets are sealed; no text of an alert stands in a notice's row.

pub(crate) mod people;
pub(crate) mod sms;

/// A way to reach a person, as imported.
pub(crate) mod contact {
    use sea_orm::entity::prelude::*;

    /// What may be read without the master key says when and in which language, never where.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "contacts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) contact_id: String,
        /// None for staff.
        pub(crate) organisation_id: Option<String>,
        pub(crate) language: String,
        pub(crate) time_zone: String,
        /// In the order in which they are tried, separated by spaces.
        pub(crate) channels: String,
        pub(crate) quiet_hours: Option<String>,
        pub(crate) urgent_overrides_quiet_hours: bool,
        /// Set when the webhook answered 410; the next import that changes the contact clears it.
        pub(crate) webhook_disabled: bool,
        /// Addresses, number, role, shared word and webhook secret under the local master key.
        pub(crate) sealed: Vec<u8>,
        /// Grows with each change, so that another process's cache can be told from the present.
        pub(crate) version: i64,
        pub(crate) updated_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What all notices of one release, page or handover have in common.
pub(crate) mod bulletin {
    use sea_orm::entity::prelude::*;

    /// One revision of an alert, one page to staff, or one handover to a coordinator.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "bulletins")]
    pub(crate) struct Model {
        /// The alert's id, the page's, or for a handover the alert's again under another kind's id.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) bulletin_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) revision: i32,
        /// `alert`, `page` or `handover`.
        pub(crate) kind: String,
        pub(crate) short_code: String,
        pub(crate) priority: String,
        pub(crate) tlp: String,
        pub(crate) released_at_ms: i64,
        pub(crate) deadline_at_ms: i64,
        /// No notice starts after this.
        pub(crate) expires_at_ms: i64,
        pub(crate) consent_expires_at_ms: Option<i64>,
        pub(crate) drill: bool,
        pub(crate) source_language: String,
        /// Separated by spaces.
        pub(crate) reviewed_languages: String,
        pub(crate) coordinator_id: String,
        pub(crate) coordinator_name: String,
        /// The texts at CLEAR and GREEN, sealed to this service, until every notice has ended.
        pub(crate) sealed_texts: Option<Vec<u8>>,
        pub(crate) created_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// One bulletin to one contact on one channel.
pub(crate) mod notice {
    use sea_orm::entity::prelude::*;

    /// `next_at_ms` is when something must happen next: a first attempt, a retry, or the end of a lease; none when the
    /// notice has come to rest.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "notices")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) notice_id: Uuid,
        pub(crate) batch_id: String,
        pub(crate) bulletin_id: Uuid,
        pub(crate) revision: i32,
        pub(crate) contact_id: String,
        /// Empty for staff.
        pub(crate) organisation_id: String,
        pub(crate) channel: String,
        /// 0 urgent, 1 normal, 2 bulk.
        pub(crate) lane: i16,
        /// A keyed hash of the webhook's host, or of the gateway or smarthost: limits are per destination.
        pub(crate) destination: i64,
        /// The language of the text that the contact reads.
        pub(crate) language: String,
        pub(crate) acknowledge_token: String,
        pub(crate) state: String,
        pub(crate) reason: Option<String>,
        pub(crate) attempts: i32,
        pub(crate) next_at_ms: Option<i64>,
        /// The process that holds it; with `next_at_ms` as the lease's end.
        pub(crate) lease_owner: Option<Uuid>,
        /// Set while an attempt is in flight when it must not be repeated.
        pub(crate) withdrawn_reason: Option<String>,
        pub(crate) handed_to: Option<String>,
        pub(crate) provider_id: Option<String>,
        /// Counts the changes that others are told of.
        pub(crate) version: i32,
        /// Since when dispatch has not been told of the newest version; none when it has.
        pub(crate) owed_since_ms: Option<i64>,
        pub(crate) changed_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// One attempt to send a notice, as it ended.
pub(crate) mod attempt {
    use sea_orm::entity::prelude::*;

    /// Append only.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "attempts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) attempt_id: Uuid,
        pub(crate) notice_id: Uuid,
        pub(crate) number: i32,
        pub(crate) started_at_ms: i64,
        pub(crate) ended_at_ms: i64,
        /// A notice state, or `temporary`.
        pub(crate) outcome: String,
        /// What the other side said, as a short code: `250`, `http_503`, `timeout`.
        pub(crate) code: String,
        /// The beginning of what it answered in words, without addresses, numbers, tokens and anything that was sent.
        pub(crate) answer: Option<String>,
        /// The smarthost or gateway; none for webhooks, and where none was asked.
        pub(crate) gateway: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A withdrawal, kept as a tombstone for notices that are requested after it.
pub(crate) mod withdrawal {
    use sea_orm::entity::prelude::*;

    /// The latest withdrawal for one alert and organisation.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "withdrawals")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) bulletin_id: Uuid,
        /// Empty for the whole alert.
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) organisation_id: String,
        /// It covers this revision and those before it.
        pub(crate) revision: i32,
        pub(crate) reason: String,
        pub(crate) recorded_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Secrets of this service, wrapped under its master key.
pub(crate) mod local_secret {
    use sea_orm::entity::prelude::*;

    /// `sealing_pair` or `receipt_mac`.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "local_secrets")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) name: String,
        pub(crate) wrapped: Vec<u8>,
        /// When the public half was said to the others; none if it has not been.
        pub(crate) published_at_ms: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
