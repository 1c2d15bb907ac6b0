//! The two tables of events that leave: what was said, and to whom it is still owed.

/// What was said. It stays seven days after nothing is owed, for a consumer that had to be restored.
pub(crate) mod event {
    use sea_orm::entity::prelude::*;

    /// One event. Its id is a version 7 UUID, so the key also orders events by time.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) event_id: Uuid,
        pub(crate) kind: String,
        pub(crate) lane: i16,
        pub(crate) aggregate: String,
        pub(crate) version: i64,
        pub(crate) at_ms: i64,
        pub(crate) payload: Vec<u8>,
        pub(crate) traceparent: Option<String>,
        /// Set only when the last consumer settled more than an hour after the event was recorded.
        pub(crate) settled_late_at_ms: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// To whom it is owed. A row goes when its consumer says that it has committed the event's effects.
pub(crate) mod owed {
    use sea_orm::entity::prelude::*;

    /// One event that one consumer has not settled.
    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox_owed")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) seq: i64,
        pub(crate) event_id: Uuid,
        pub(crate) consumer: String,
        pub(crate) lane: i16,
        pub(crate) recorded_at_ms: i64,
        /// When the broker took it; empty while it still has to be published.
        pub(crate) published_at_ms: Option<i64>,
        /// Counts publications after the first; part of the broker's message id, so that none is taken for a copy.
        pub(crate) generation: i64,
        /// Which incarnation of the broker's stream holds it.
        pub(crate) broker_epoch: Option<i64>,
        /// Where in that stream it stands.
        pub(crate) broker_sequence: Option<i64>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
