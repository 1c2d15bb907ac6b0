//! The rows of dispatch's own database. Of an alert only ids, codes and times stand here in clear; its content is kept as
//! it was received, sealed.

/// One organisation of the network's register. Lists are JSON texts in the order in which they were imported.
pub(crate) mod organisation {
    use sea_orm::entity::prelude::*;

    /// One organisation.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "organisations")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) organisation_id: String,
        pub(crate) name: String,
        pub(crate) country: String,
        pub(crate) region: String,
        pub(crate) kind: String,
        pub(crate) language: String,
        pub(crate) clearance: String,
        pub(crate) groups: String,
        pub(crate) subscription: String,
        pub(crate) offers: String,
        pub(crate) contact_ids: String,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// One alert, its newest revision, and its place in the feed. A withdrawal that came before its alert is a row without
/// content (a tombstone).
pub(crate) mod alert {
    use sea_orm::entity::prelude::*;

    /// One alert.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "alerts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) alert_id: Uuid,
        pub(crate) revision: i64,
        pub(crate) short_code: String,
        /// A keyed hash of the reference, which names a country and is therefore not stored in clear.
        pub(crate) reference_mac: Option<Vec<u8>>,
        pub(crate) priority: String,
        pub(crate) tlp: String,
        pub(crate) released_at_ms: i64,
        pub(crate) deadline_at_ms: i64,
        pub(crate) drill: bool,
        /// When the first consent on which it relies expires; empty when none does. From then on nobody reads its texts.
        pub(crate) consent_expires_at_ms: Option<i64>,
        pub(crate) state: String,
        pub(crate) withdrawn_reason: String,
        pub(crate) withdrawn_at_ms: Option<i64>,
        pub(crate) content: Option<Vec<u8>>,
        /// The revision of the content; it lags behind `revision` when a withdrawal came before its alert. -1 without content.
        pub(crate) content_revision: i64,
        /// Where its newest change stands in the feed; empty while nobody may read of it.
        pub(crate) feed_position: Option<i64>,
        pub(crate) feed_change: String,
        pub(crate) feed_at_ms: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// One organisation in the audience of one alert, and what it answered.
pub(crate) mod recipient {
    use sea_orm::entity::prelude::*;

    /// One recipient.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "recipients")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) alert_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) organisation_id: String,
        /// The newest revision that it may read.
        pub(crate) revision: i64,
        pub(crate) contacts: i32,
        /// Empty until it answers.
        pub(crate) response: String,
        /// Counts its answers, so that an older one can be told from a newer one.
        pub(crate) response_version: i64,
        pub(crate) responded_at_ms: Option<i64>,
        /// The revision that it answered; -1 until it answers.
        pub(crate) responded_revision: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The one row that counts: positions of the feed and versions of the register.
pub(crate) mod feed_state {
    use sea_orm::entity::prelude::*;

    /// The row with id 1.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "feed_state")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i32,
        /// Tells this feed from one that was made anew; part of each cursor.
        pub(crate) epoch: String,
        /// The last position given out.
        pub(crate) position: i64,
        /// Changes up to this position are no longer served from the feed.
        pub(crate) trimmed_to: i64,
        /// Grows with each change of the register of organisations.
        pub(crate) network_version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// How far one notice has come, as notification told it. For an organisation without a contact dispatch itself writes a
/// row with an empty contact, so that coverage shows who must be reached by hand.
pub(crate) mod notice_progress {
    use sea_orm::entity::prelude::*;

    /// One notice.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "notice_progress")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) notice_id: Uuid,
        pub(crate) alert_id: Uuid,
        pub(crate) contact_id: String,
        pub(crate) organisation_id: String,
        pub(crate) channel: String,
        pub(crate) state: String,
        pub(crate) language: String,
        pub(crate) reason: String,
        pub(crate) at_ms: i64,
        pub(crate) handed_to: String,
        pub(crate) due_at_ms: Option<i64>,
        pub(crate) version: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
