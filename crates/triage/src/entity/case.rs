//! Cases, the content of their reports, and what the reporter added.

/// One case: what triage works on.
pub(crate) mod file {
    use sea_orm::entity::prelude::*;

    /// The row that every verb locks first, so that two verbs on one case take turns.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "cases")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) case_id: Uuid,
        pub(crate) report_id: Uuid,
        pub(crate) state: String,
        pub(crate) priority: String,
        /// False while the priority is only provisional.
        pub(crate) assessed: bool,
        pub(crate) received_at_ms: i64,
        pub(crate) acknowledged_at_ms: Option<i64>,
        /// The actor id of who owns the case; empty until somebody takes it.
        pub(crate) coordinator: Option<String>,
        /// Counts the answers and states that the reporter was told.
        pub(crate) answer_version: i64,
        /// Set by a stop-action, cleared by the next draft.
        pub(crate) stopped_at_ms: Option<i64>,
        /// The public key to which answers to the reporter are sealed.
        pub(crate) receipt_key: Vec<u8>,
        /// The hash of the reference under the lookup key, because a reference names the country.
        pub(crate) reference_hash: Vec<u8>,
        /// The reference and the coordinator's name.
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The content of a report, encrypted by whoever sealed it; its data key is the case's.
pub(crate) mod content {
    use sea_orm::entity::prelude::*;

    /// As it arrived, without the wrapped key.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "report_contents")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) report_id: Uuid,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What the reporter and the network wrote to each other.
pub(crate) mod message {
    use sea_orm::entity::prelude::*;

    /// One message in either direction.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "messages")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) message_id: Uuid,
        pub(crate) case_id: Uuid,
        /// `reporter` or `network`.
        pub(crate) author: String,
        pub(crate) at_ms: i64,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// A message that overtook its report: it waits as it came, sealed to triage's key.
pub(crate) mod early_message {
    use sea_orm::entity::prelude::*;

    /// It keeps the private half of `key_id` alive until its report is there.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "early_messages")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) message_id: Uuid,
        pub(crate) report_id: Uuid,
        pub(crate) key_id: String,
        pub(crate) at_ms: i64,
        pub(crate) sealed: Vec<u8>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
