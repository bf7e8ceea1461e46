// Made from openapi.yaml by `npm run sdk`.

export interface paths {
    "/v1/consumers/{consumer}/receive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Lease messages
         * @description Answers as soon as a message can be delivered, at the latest when the wait ends. A client that hangs up gets nothing leased.
         *
         *     Scope: `consume`.
         */
        post: operations["receiveMessages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/ack": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Acknowledge messages
         * @description Done with: not delivered again. Acking twice does no harm.
         *
         *     Scope: `consume`.
         */
        post: operations["ackMessages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/nack": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give messages back
         * @description They are delivered again: after `delay`, or as the retry policy says.
         *
         *     Scope: `consume`.
         */
        post: operations["nackMessages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/extend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Hold messages longer
         * @description Scope: `consume`.
         */
        post: operations["extendMessages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/settle": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Settle messages in different ways, in one call
         * @description Scope: `consume`.
         */
        post: operations["settleMessages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List consumers
         * @description By name; those that the token is bound to.
         *
         *     Scope: `read`.
         */
        get: operations["listConsumers"];
        put?: never;
        /**
         * Create a consumer
         * @description Scope: `admin`.
         */
        post: operations["createConsumer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Look at a consumer
         * @description Scope: `read`.
         */
        get: operations["getConsumer"];
        /**
         * Create a consumer, or give it exactly these settings
         * @description What is left out goes back to its default, except what is fixed at creation (`kind`, `start_from`) and the webhook’s write-only headers.
         *
         *     Scope: `admin`.
         */
        put: operations["putConsumer"];
        post?: never;
        /**
         * Delete a consumer and its queue
         * @description The log stays; other consumers do not notice.
         *
         *     Scope: `admin`.
         */
        delete: operations["deleteConsumer"];
        options?: never;
        head?: never;
        /**
         * Change some settings
         * @description Scope: `admin`.
         */
        patch: operations["patchConsumer"];
        trace?: never;
    };
    "/v1/consumers/{consumer}/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many messages are in which state
         * @description Scope: `read`.
         */
        get: operations["getConsumerStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop deliveries for a while
         * @description Receives wait, then answer nothing; acks go on.
         *
         *     Scope: `manage`.
         */
        post: operations["pauseConsumer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deliver again
         * @description Scope: `manage`.
         */
        post: operations["resumeConsumer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/push/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a sample to the webhook
         * @description One signed request with a made-up message (`metadata.test` is true), which no queue knows of; ends within 25 seconds. Answers 200 whatever the endpoint does: `success` says.
         *
         *     Scope: `admin`.
         */
        post: operations["testPush"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/push/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a sample to a webhook that no consumer has yet
         * @description As `testPush`, before anything is created. It is signed with a secret made up for it: an endpoint that verifies refuses it, which shows that it is reached.
         *
         *     Scope: `admin`.
         */
        post: operations["testWebhook"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/push/rotate_secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a new signing secret for the webhook
         * @description For 24 hours requests are signed with the old one as well.
         *
         *     Scope: `admin`.
         */
        post: operations["rotatePushSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/seek": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Move the cursor
         * @description What lies before the target counts as acked, what lies after it as never delivered. Leases are lost. With `dry_run` it only counts.
         *
         *     Scope: `manage`.
         */
        post: operations["seekConsumer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deliver old messages again, beside the cursor
         * @description From the first target up to, not with, the second. Messages carry `delivery.replay`. At most ten replays run at once.
         *
         *     Scope: `manage`.
         */
        post: operations["replayConsumer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/redrive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Put dead or retrying messages up for delivery now
         * @description At most 10,000 a call; `remaining` says how many are left.
         *
         *     Scope: `manage`.
         */
        post: operations["redriveConsumer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/discard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give dead or retrying messages up for good
         * @description Scope: `manage`.
         */
        post: operations["discardMessages"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/purge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Empty the queue
         * @description Whatever state its messages are in. The log and other consumers are untouched.
         *
         *     Scope: `manage`.
         */
        post: operations["purgeConsumer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/backfills": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the backfills for a consumer
         * @description Scope: `read`.
         */
        get: operations["listConsumerBackfills"];
        put?: never;
        /**
         * Read the rows that exist, for one consumer
         * @description They come as messages with the action `read`, in order with the changes of the same row. A token with `where` needs the scope `admin`.
         *
         *     Scope: `manage`.
         */
        post: operations["startConsumerBackfill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/backfills/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How far a backfill is
         * @description Scope: `read`.
         */
        get: operations["getConsumerBackfill"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/backfills/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a backfill
         * @description The page that is being read still comes.
         *
         *     Scope: `manage`.
         */
        post: operations["pauseConsumerBackfill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/backfills/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Go on with a backfill
         * @description Behind the last row that was read; also after a failure.
         *
         *     Scope: `manage`.
         */
        post: operations["resumeConsumerBackfill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/backfills/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End a backfill for good
         * @description What was read stays in the log.
         *
         *     Scope: `manage`.
         */
        post: operations["cancelConsumerBackfill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/backfills": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the backfills of a source, for whomever they are
         * @description Scope: `read`.
         */
        get: operations["listSourceBackfills"];
        put?: never;
        /**
         * Read the rows that exist, for every consumer of the table
         * @description A token with `where` needs the scope `admin`.
         *
         *     Scope: `manage`.
         */
        post: operations["startSourceBackfill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/backfills/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How far a backfill is
         * @description Scope: `read`.
         */
        get: operations["getSourceBackfill"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/backfills/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a backfill
         * @description The page that is being read still comes.
         *
         *     Scope: `manage`.
         */
        post: operations["pauseSourceBackfill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/backfills/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Go on with a backfill
         * @description Behind the last row that was read; also after a failure.
         *
         *     Scope: `manage`.
         */
        post: operations["resumeSourceBackfill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/backfills/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End a backfill for good
         * @description What was read stays in the log.
         *
         *     Scope: `manage`.
         */
        post: operations["cancelSourceBackfill"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List messages in one state
         * @description Oldest first. Looking never counts as a delivery.
         *
         *     Scope: `read`.
         */
        get: operations["listMessages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/messages/{seq}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Look at one message
         * @description The change, and where it stands with this consumer (`consumers` has one entry).
         *
         *     Scope: `read`.
         */
        get: operations["getMessage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/consumers/{consumer}/changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow what a consumer selects
         * @description Changes of the log that the consumer selects, its filter included, whatever became of them. Call again with `last_seq` as `after`. A page may be empty although `has_more`, where the filter lets few pass.
         *
         *     Scope: `read`.
         */
        get: operations["followConsumer"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List changes of the log
         * @description Scope: `read`.
         */
        get: operations["listChanges"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/changes/{seq}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow one change through its fan-out
         * @description The change, and its state with every consumer that selects it.
         *
         *     Scope: `read`.
         */
        get: operations["getChange"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/filter/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Try a filter on the newest changes
         * @description What a consumer with this selection would get, and what not. Changes nothing. What is wrong with the selection is an answer here, not a refusal.
         *
         *     Scope: `read`.
         */
        post: operations["previewFilter"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List sources
         * @description Scope: `read`.
         */
        get: operations["listSources"];
        put?: never;
        /**
         * Connect a database
         * @description Checks everything first; when a check fails nothing is created anywhere.
         *
         *     Scope: `admin`.
         */
        post: operations["createSource"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check whether a database can be connected
         * @description Each check by name, with the SQL that mends it. Changes nothing.
         *
         *     Scope: `admin`.
         */
        post: operations["testSource"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Look at a source
         * @description Scope: `read`.
         */
        get: operations["getSource"];
        /**
         * Connect a database, or change how it is reached
         * @description What is left out stays as it is.
         *
         *     Scope: `admin`.
         */
        put: operations["putSource"];
        post?: never;
        /**
         * Delete a source, its log and its slot
         * @description Refused while it has consumers. A publication that was made here goes with it; when the slot cannot be dropped everything stays.
         *
         *     Scope: `admin`.
         */
        delete: operations["deleteSource"];
        options?: never;
        head?: never;
        /**
         * Change some settings of a source
         * @description Scope: `admin`.
         */
        patch: operations["patchSource"];
        trace?: never;
    };
    "/v1/sources/{source}/tables": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the tables of a source, and the types of their columns
         * @description Scope: `read`.
         */
        get: operations["listSourceTables"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/checks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check whether a source is still as capturing needs it
         * @description Each check by name, with the SQL that mends it. Changes nothing.
         *
         *     Scope: `read`.
         */
        get: operations["checkSource"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How capturing from a source goes
         * @description Scope: `read`.
         */
        get: operations["getSourceHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sources/{source}/accept-gap": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Go on behind changes that are lost
         * @description For a source that needs attention because changes between its log and its slot can no longer be read. Capturing goes on from the slot; what was missed stays on record in its health. Backfill its tables afterwards.
         *
         *     Scope: `admin`.
         */
        post: operations["acceptSourceGap"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List tokens
         * @description Without their secrets, which are kept nowhere. Ended ones stay for 30 days.
         *
         *     Scope: `admin`.
         */
        get: operations["listTokens"];
        put?: never;
        /**
         * Make a token
         * @description Scope: `admin`.
         */
        post: operations["createToken"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/tokens/{token}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke a token
         * @description By its id. Effective in every process within two seconds.
         *
         *     Scope: `admin`.
         */
        delete: operations["deleteToken"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/configuration": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Sources, consumers and tokens as a configuration
         * @description Without secrets: variables stand in their places.
         *
         *     Scope: `admin`.
         */
        get: operations["getConfiguration"];
        /**
         * Apply a configuration, wholly or not at all
         * @description Changes what differs and nothing else. New sources come first and are taken back if anything fails; the rest is one transaction; sources that are pruned go last, because a slot cannot be brought back.
         *
         *     Scope: `admin`.
         */
        put: operations["putConfiguration"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/configuration/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * What applying a configuration would change
         * @description Changes nothing. New sources are connected to and checked; secrets are held against those that are kept, and not shown.
         *
         *     Scope: `admin`.
         */
        post: operations["planConfiguration"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/livez": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process runs
         * @description Needs no token.
         */
        get: operations["getLiveness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process can serve
         * @description A sick source or consumer does not make it unready.
         *
         *     Needs no token.
         */
        get: operations["getReadiness"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/storage/checks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check the storage
         * @description Each check by name, with the SQL that mends it. Changes nothing.
         *
         *     Scope: `read`.
         */
        get: operations["checkStorage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics for Prometheus
         * @description Scope: `read`.
         */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.yaml": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * This document
         * @description Needs no token.
         */
        get: operations["getOpenApi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/processes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the server processes on this storage
         * @description Those that gave a sign of life within half a minute, the oldest first.
         *
         *     Scope: `read`.
         */
        get: operations["listProcesses"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/http_pull_consumers/{consumer}/receive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lease messages, in Sequin’s shape
         * @description Scope: `consume`.
         */
        get: operations["sequinReceiveByGet"];
        put?: never;
        /**
         * Lease messages, in Sequin’s shape
         * @description Scope: `consume`.
         */
        post: operations["sequinReceive"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/http_pull_consumers/{consumer}/ack": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Acknowledge messages, as Sequin’s clients do
         * @description Scope: `consume`.
         */
        post: operations["sequinAck"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/http_pull_consumers/{consumer}/nack": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give messages back, as Sequin’s clients do
         * @description The first time they come again at once, then as the retry policy says.
         *
         *     Scope: `consume`.
         */
        post: operations["sequinNack"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sequin_streams/{consumer}/receive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Lease messages, in Sequin’s shape
         * @description Scope: `consume`.
         */
        get: operations["sequinStreamReceiveByGet"];
        put?: never;
        /**
         * Lease messages, in Sequin’s shape
         * @description Scope: `consume`.
         */
        post: operations["sequinStreamReceive"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sequin_streams/{consumer}/ack": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Acknowledge messages, as Sequin’s clients do
         * @description Scope: `consume`.
         */
        post: operations["sequinStreamAck"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sequin_streams/{consumer}/nack": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give messages back, as Sequin’s clients do
         * @description The first time they come again at once, then as the retry policy says.
         *
         *     Scope: `consume`.
         */
        post: operations["sequinStreamNack"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description A refusal, by RFC 9457.
         * @example {
         *       "type": "urn:millrace:problem:validation_failed",
         *       "title": "Validation failed",
         *       "status": 422,
         *       "code": "validation_failed",
         *       "detail": "batch_size must be at least 1",
         *       "summary": "batch_size must be at least 1",
         *       "errors": [
         *         {
         *           "pointer": "/batch_size",
         *           "detail": "must be at least 1"
         *         }
         *       ],
         *       "request_id": "req_0c3f8a52-6c5e-4f6e-9d38-0f9a4c1f2f3a"
         *     }
         */
        Problem: {
            /** @description A URN made of the code. */
            type: string;
            title: string;
            /** @description The status of the answer. */
            status: number;
            /** @description What programs tell problems apart by: `malformed_json` (400), `invalid_parameter` (400), `malformed_ack_id` (400), `unauthenticated` (401), `insufficient_scope` (403), `not_found` (404), `method_not_allowed` (405), `consumer_is_push` (409), `name_taken` (409), `slot_in_use` (409), `source_in_use` (409), `conflict` (409), `secret_key_missing` (409), `body_too_large` (413), `unsupported_media_type` (415), `validation_failed` (422), `source_unreachable` (422), `source_check_failed` (422), `too_many_waiters` (429), `internal` (500), `draining` (503), `storage_unavailable` (503). There may be more in time. */
            code: string;
            /** @description A sentence for people. */
            detail: string;
            /** @description Equal to `detail`. */
            summary: string;
            /** @description Each fault of the request. */
            errors?: {
                /** @description JSON pointer into the request. */
                pointer: string;
                detail: string;
                /** @description Where in a filter: offset from 0 in UTF-16 units, the others from 1. */
                position?: {
                    offset: number;
                    line: number;
                    column: number;
                };
            }[];
            /** @description As in the header X-Request-Id; look for it in the server’s log. */
            request_id: string;
        };
        ReceiveResponse: {
            data: components["schemas"]["Message"][];
            meta: {
                /**
                 * @description Why there are fewer than asked for; null: nothing else holds messages back.
                 * @enum {string|null}
                 */
                limited_by: "max_in_flight" | "blocked_groups" | "paused" | null;
            };
            /** @description What became of `ack_ids`, where the call had any. */
            acks?: {
                /** @description Whether all of `ack_ids` are acked. */
                success: boolean;
                /** @description Those that are not, and why. */
                lost: components["schemas"]["SettleResult"][];
            };
        };
        Message: {
            /**
             * @description The `ack_id` of a received message, unchanged.
             * @example a-1-2s-k3x9f2-0-1z4
             */
            ack_id: string;
            /** @description The row’s columns; numbers have all their digits. */
            record: {
                [key: string]: unknown;
            };
            /** @description The previous values of the columns that changed; null: none. */
            changes: {
                [key: string]: unknown;
            } | null;
            /** @enum {string} */
            action: "insert" | "update" | "delete" | "read" | "truncate";
            metadata: components["schemas"]["MessageMetadata"];
            delivery: components["schemas"]["MessageDelivery"];
        };
        MessageMetadata: {
            table_schema: string;
            table_name: string;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            commit_timestamp: string;
            /** @description LSN of the commit, as a number. */
            commit_lsn: number;
            /** @description Ordinal of the change in its transaction. */
            commit_idx: number;
            /** @description Equal for all deliveries of one change: deduplicate by it. */
            idempotency_key: string;
            /** @description Columns missing from `record`: large values that did not change and that Postgres does not send. */
            unchanged_columns?: string[];
            /** @description What the transaction said of itself. */
            transaction_annotations?: unknown;
            /** @description The source. */
            database: {
                /** Format: uuid */
                id: string;
                name: string;
            };
            consumer: {
                /** Format: uuid */
                id: string;
                name: string;
                annotations?: {
                    [key: string]: unknown;
                };
            };
        };
        MessageDelivery: {
            /** @description From 1, one more with every delivery. */
            attempt: number;
            /** @description Messages of one group come in order; null: no order. */
            group: string | null;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            lease_expires_at: string;
            /** @description The replay that brought it; left out: none did. */
            replay?: number;
        };
        SettleResult: {
            ack_id: string;
            /** @enum {string} */
            status: "acked" | "already_acked" | "nacked" | "dead_lettered" | "extended" | "lease_lost";
            /**
             * Format: date-time
             * @description When a nacked message is due.
             * @example 2026-01-31T12:00:00Z
             */
            visible_at?: string;
            /**
             * Format: date-time
             * @description Of an extended lease.
             * @example 2026-01-31T12:00:00Z
             */
            lease_expires_at?: string;
            /** @description How a lease was lost. */
            detail?: string;
        };
        ReceiveRequest: {
            /**
             * @description Acknowledged first, as by `ack`: a worker then makes one call for its work, not two. Done even where the rest of the call is refused; asking again does no harm.
             * @example [
             *       "a-1-2s-k3x9f2-0-1z4"
             *     ]
             */
            ack_ids?: string[];
            /**
             * @description Messages at most.
             * @default 10
             * @example 100
             */
            batch_size?: number;
            /**
             * @description How long to wait for the first message. Whole ms, or a text such as `"500ms"`, `"20s"`, `"5m"`, `"1h"`. At most 55 s; 0: answer at once.
             * @default 20000
             * @example 20s
             */
            wait_for?: number | string;
            /** @description How long the messages are leased, in ms; left out: as the consumer says. */
            visibility_timeout_ms?: number;
            /**
             * @description Bytes of records and changes at most; one message always fits.
             * @default 4194304
             */
            max_bytes?: number;
            /** @description A label of the caller, shown to operators. */
            worker?: string;
        };
        SettleResponse: {
            /** @description Whether everything was done as asked. */
            success: boolean;
            /** @description One for each id, in the order asked. */
            results: components["schemas"]["SettleResult"][];
            /**
             * @description How many results have which status.
             * @example {
             *       "acked": 2
             *     }
             */
            counts: {
                [key: string]: number;
            };
        };
        AckRequest: {
            ack_ids: string[];
        };
        NackRequest: {
            ack_ids: string[];
            /**
             * @description When the message comes again: Whole ms, or a text such as `"500ms"`, `"20s"`, `"5m"`, `"1h"`. At most 12 h; left out: by the retry policy.
             * @example 30s
             */
            delay?: number | string;
            /**
             * @description Why; at most 2 KB. Kept with the message and shown to operators.
             * @example card gateway answered 503
             */
            reason?: string;
            /**
             * @description False: this delivery does not count as an attempt.
             * @default true
             */
            count_attempt?: boolean;
            /**
             * @description True: the messages are dead and not delivered again.
             * @default false
             */
            dead_letter?: boolean;
        };
        ExtendRequest: {
            ack_ids: string[];
            /** @description How long the lease lasts from now on, in ms. */
            visibility_timeout_ms: number;
        };
        SettleRequest: {
            /** @default [] */
            acks?: {
                /**
                 * @description The `ack_id` of a received message, unchanged.
                 * @example a-1-2s-k3x9f2-0-1z4
                 */
                ack_id: string;
            }[];
            /** @default [] */
            nacks?: {
                /**
                 * @description The `ack_id` of a received message, unchanged.
                 * @example a-1-2s-k3x9f2-0-1z4
                 */
                ack_id: string;
                /**
                 * @description When the message comes again: Whole ms, or a text such as `"500ms"`, `"20s"`, `"5m"`, `"1h"`. At most 12 h; left out: by the retry policy.
                 * @example 30s
                 */
                delay?: number | string;
                /**
                 * @description Why; at most 2 KB. Kept with the message and shown to operators.
                 * @example card gateway answered 503
                 */
                reason?: string;
                /** @default true */
                count_attempt?: boolean;
            }[];
            /** @default [] */
            dead_letters?: {
                /**
                 * @description The `ack_id` of a received message, unchanged.
                 * @example a-1-2s-k3x9f2-0-1z4
                 */
                ack_id: string;
                /**
                 * @description Why; at most 2 KB. Kept with the message and shown to operators.
                 * @example card gateway answered 503
                 */
                reason?: string;
            }[];
            /** @default [] */
            extends?: {
                /**
                 * @description The `ack_id` of a received message, unchanged.
                 * @example a-1-2s-k3x9f2-0-1z4
                 */
                ack_id: string;
                visibility_timeout_ms: number;
            }[];
        };
        ConsumerList: {
            data: components["schemas"]["Consumer"][];
            /** @description Give it as `cursor` to get the next page; null: this is the last. */
            next_cursor: string | null;
        };
        Consumer: {
            /** Format: uuid */
            id: string;
            /** @description Unique. 1 to 63 characters of `a-z`, `0-9`, `_` and `-`. */
            name: string;
            /** @description Name of the source. */
            source: string;
            /** @description Which tables: `schema.table`, `schema.*` or `*`. */
            tables: string[];
            /** @description Which kinds of change. `read` (rows found by a backfill) always comes. */
            actions: string[];
            /**
             * @description A CEL expression over `record`, `changes`, `action` and `metadata`; null: everything. A change applies from the cursor on.
             * @default null
             * @example record.total_price > 100.0
             */
            filter: string | null;
            /** @description Which columns leave the system; null: all. */
            columns: {
                include?: string[];
                exclude?: string[];
            } | null;
            /**
             * @description `changes`: every change. `rows`: the latest state of each row; starts with a backfill, and changes of a row not yet delivered collapse into the newest. Fixed at creation.
             * @default changes
             * @enum {string}
             */
            kind: "changes" | "rows";
            /**
             * @description `pull`: services receive and ack. `push`: messages are POSTed to `push.url`.
             * @default pull
             * @enum {string}
             */
            mode: "pull" | "push";
            /** @description The webhook; null: none. */
            push: {
                /**
                 * Format: uri
                 * @description Where messages are POSTed.
                 * @example https://shipping.example.com/hooks/orders
                 */
                url: string;
                /**
                 * @description Messages per request.
                 * @default 1
                 */
                batch_size: number;
                /**
                 * @description How long one request may take, in ms.
                 * @default 15000
                 */
                timeout_ms: number;
                /**
                 * @description Requests at the same time.
                 * @default 10
                 */
                max_in_flight: number;
                /**
                 * @description Plain http to a public address as well. Anybody on the way can then read and change what is sent.
                 * @default false
                 */
                allow_http: boolean;
                /**
                 * @description Requests per second; null: no limit.
                 * @default null
                 */
                rate_per_second: number | null;
            } | null;
            /**
             * @description Where a new consumer begins: `now`, `earliest` (the oldest change still kept), a time, or `backfill` (the rows that exist, then changes). Fixed at creation; seek moves the cursor later.
             * @default now
             */
            start_from: ("now" | "earliest" | "backfill") | string;
            /**
             * @description How long received messages are leased, in ms, unless a receive call says otherwise.
             * @default 30000
             */
            visibility_timeout_ms: number;
            /**
             * @description Messages leased at the same time.
             * @default 10000
             */
            max_in_flight: number;
            /**
             * @description Receive calls that may wait at the same time, per process; one more answers 429.
             * @default 100
             */
            max_waiting: number;
            /**
             * @description Deliveries after which a message is dead; null: delivered until acked.
             * @default null
             */
            max_deliveries: number | null;
            /**
             * @description `group`: the messages of one group are handled in commit order. `none`: no order is kept.
             * @default group
             * @enum {string}
             */
            ordering: "group" | "none";
            /**
             * @description Columns that make the group; null: the primary key.
             * @default null
             */
            group_by: string[] | null;
            /**
             * @description Free JSON, at most 4 KiB, returned in `metadata.consumer` of every message.
             * @default {}
             */
            annotations: {
                [key: string]: unknown;
            };
            /** @description Null: not paused. */
            paused: {
                /**
                 * Format: date-time
                 * @description Null: until resumed.
                 * @example 2026-01-31T12:00:00Z
                 */
                until: string | null;
                reason: string | null;
            } | null;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            created_at: string;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            updated_at: string;
        };
        CreatedConsumer: components["schemas"]["Consumer"] & {
            /**
             * @description The signing secret (Standard Webhooks). Shown once, when it is made; keep it where the receiver verifies.
             * @example whsec_…
             */
            push_secret?: string;
        };
        ConsumerCreate: {
            /** @description Name or id of the source. */
            source: string;
            /**
             * @description Which tables: `schema.table`, `schema.*` or `*`.
             * @example [
             *       "public.orders"
             *     ]
             */
            tables: string[];
            /**
             * @description Which kinds of change. `read` (rows found by a backfill) always comes.
             * @default [
             *       "insert",
             *       "update",
             *       "delete"
             *     ]
             */
            actions?: ("insert" | "update" | "delete" | "truncate")[];
            /**
             * @description A CEL expression over `record`, `changes`, `action` and `metadata`; null: everything. A change applies from the cursor on.
             * @default null
             * @example record.total_price > 100.0
             */
            filter?: string | null;
            /**
             * @description Which columns leave the system; null: all.
             * @default null
             */
            columns?: {
                include: string[];
            } | {
                exclude: string[];
            } | null;
            /**
             * @description `changes`: every change. `rows`: the latest state of each row; starts with a backfill, and changes of a row not yet delivered collapse into the newest. Fixed at creation.
             * @default changes
             * @enum {string}
             */
            kind?: "changes" | "rows";
            /**
             * @description `pull`: services receive and ack. `push`: messages are POSTed to `push.url`.
             * @default pull
             * @enum {string}
             */
            mode?: "pull" | "push";
            /**
             * @description The webhook; needed when `mode` is `push`.
             * @default null
             */
            push?: {
                /**
                 * Format: uri
                 * @description Where messages are POSTed.
                 * @example https://shipping.example.com/hooks/orders
                 */
                url: string;
                /**
                 * @description Messages per request.
                 * @default 1
                 */
                batch_size?: number;
                /**
                 * @description How long one request may take, in ms.
                 * @default 15000
                 */
                timeout_ms?: number;
                /**
                 * @description Requests at the same time.
                 * @default 10
                 */
                max_in_flight?: number;
                /**
                 * @description Plain http to a public address as well. Anybody on the way can then read and change what is sent.
                 * @default false
                 */
                allow_http?: boolean;
                /**
                 * @description Requests per second; null: no limit.
                 * @default null
                 */
                rate_per_second?: number | null;
                /** @description Sent with every request. Write-only and encrypted at rest; left out of a change: they stay as they are. */
                headers?: {
                    [key: string]: string;
                };
            } | null;
            /**
             * @description Where a new consumer begins: `now`, `earliest` (the oldest change still kept), a time, or `backfill` (the rows that exist, then changes). Fixed at creation; seek moves the cursor later.
             * @default now
             */
            start_from?: ("now" | "earliest" | "backfill") | string;
            /**
             * @description How long received messages are leased, in ms, unless a receive call says otherwise.
             * @default 30000
             */
            visibility_timeout_ms?: number;
            /**
             * @description Messages leased at the same time.
             * @default 10000
             */
            max_in_flight?: number;
            /**
             * @description Receive calls that may wait at the same time, per process; one more answers 429.
             * @default 100
             */
            max_waiting?: number;
            /**
             * @description Deliveries after which a message is dead; null: delivered until acked.
             * @default null
             */
            max_deliveries?: number | null;
            /**
             * @description `group`: the messages of one group are handled in commit order. `none`: no order is kept.
             * @default group
             * @enum {string}
             */
            ordering?: "group" | "none";
            /**
             * @description Columns that make the group; null: the primary key.
             * @default null
             */
            group_by?: string[] | null;
            /**
             * @description Free JSON, at most 4 KiB, returned in `metadata.consumer` of every message.
             * @default {}
             */
            annotations?: {
                [key: string]: unknown;
            };
            /** @description Unique. 1 to 63 characters of `a-z`, `0-9`, `_` and `-`. */
            name: string;
        };
        ConsumerPut: {
            /** @description Name or id of the source. */
            source: string;
            /**
             * @description Which tables: `schema.table`, `schema.*` or `*`.
             * @example [
             *       "public.orders"
             *     ]
             */
            tables: string[];
            /**
             * @description Which kinds of change. `read` (rows found by a backfill) always comes.
             * @default [
             *       "insert",
             *       "update",
             *       "delete"
             *     ]
             */
            actions?: ("insert" | "update" | "delete" | "truncate")[];
            /**
             * @description A CEL expression over `record`, `changes`, `action` and `metadata`; null: everything. A change applies from the cursor on.
             * @default null
             * @example record.total_price > 100.0
             */
            filter?: string | null;
            /**
             * @description Which columns leave the system; null: all.
             * @default null
             */
            columns?: {
                include: string[];
            } | {
                exclude: string[];
            } | null;
            /**
             * @description `changes`: every change. `rows`: the latest state of each row; starts with a backfill, and changes of a row not yet delivered collapse into the newest. Fixed at creation.
             * @default changes
             * @enum {string}
             */
            kind?: "changes" | "rows";
            /**
             * @description `pull`: services receive and ack. `push`: messages are POSTed to `push.url`.
             * @default pull
             * @enum {string}
             */
            mode?: "pull" | "push";
            /**
             * @description The webhook; needed when `mode` is `push`.
             * @default null
             */
            push?: {
                /**
                 * Format: uri
                 * @description Where messages are POSTed.
                 * @example https://shipping.example.com/hooks/orders
                 */
                url: string;
                /**
                 * @description Messages per request.
                 * @default 1
                 */
                batch_size?: number;
                /**
                 * @description How long one request may take, in ms.
                 * @default 15000
                 */
                timeout_ms?: number;
                /**
                 * @description Requests at the same time.
                 * @default 10
                 */
                max_in_flight?: number;
                /**
                 * @description Plain http to a public address as well. Anybody on the way can then read and change what is sent.
                 * @default false
                 */
                allow_http?: boolean;
                /**
                 * @description Requests per second; null: no limit.
                 * @default null
                 */
                rate_per_second?: number | null;
                /** @description Sent with every request. Write-only and encrypted at rest; left out of a change: they stay as they are. */
                headers?: {
                    [key: string]: string;
                };
            } | null;
            /**
             * @description Where a new consumer begins: `now`, `earliest` (the oldest change still kept), a time, or `backfill` (the rows that exist, then changes). Fixed at creation; seek moves the cursor later.
             * @default now
             */
            start_from?: ("now" | "earliest" | "backfill") | string;
            /**
             * @description How long received messages are leased, in ms, unless a receive call says otherwise.
             * @default 30000
             */
            visibility_timeout_ms?: number;
            /**
             * @description Messages leased at the same time.
             * @default 10000
             */
            max_in_flight?: number;
            /**
             * @description Receive calls that may wait at the same time, per process; one more answers 429.
             * @default 100
             */
            max_waiting?: number;
            /**
             * @description Deliveries after which a message is dead; null: delivered until acked.
             * @default null
             */
            max_deliveries?: number | null;
            /**
             * @description `group`: the messages of one group are handled in commit order. `none`: no order is kept.
             * @default group
             * @enum {string}
             */
            ordering?: "group" | "none";
            /**
             * @description Columns that make the group; null: the primary key.
             * @default null
             */
            group_by?: string[] | null;
            /**
             * @description Free JSON, at most 4 KiB, returned in `metadata.consumer` of every message.
             * @default {}
             */
            annotations?: {
                [key: string]: unknown;
            };
        };
        ConsumerPatch: {
            /** @description Name or id of the source. */
            source?: string;
            /**
             * @description Which tables: `schema.table`, `schema.*` or `*`.
             * @example [
             *       "public.orders"
             *     ]
             */
            tables?: string[];
            /** @description Which kinds of change. `read` (rows found by a backfill) always comes. */
            actions?: ("insert" | "update" | "delete" | "truncate")[];
            /**
             * @description A CEL expression over `record`, `changes`, `action` and `metadata`; null: everything. A change applies from the cursor on.
             * @example record.total_price > 100.0
             */
            filter?: string | null;
            /** @description Which columns leave the system; null: all. */
            columns?: {
                include: string[];
            } | {
                exclude: string[];
            } | null;
            /**
             * @description `changes`: every change. `rows`: the latest state of each row; starts with a backfill, and changes of a row not yet delivered collapse into the newest. Fixed at creation.
             * @enum {string}
             */
            kind?: "changes" | "rows";
            /**
             * @description `pull`: services receive and ack. `push`: messages are POSTed to `push.url`.
             * @enum {string}
             */
            mode?: "pull" | "push";
            /** @description The webhook; needed when `mode` is `push`. */
            push?: {
                /**
                 * Format: uri
                 * @description Where messages are POSTed.
                 * @example https://shipping.example.com/hooks/orders
                 */
                url: string;
                /**
                 * @description Messages per request.
                 * @default 1
                 */
                batch_size?: number;
                /**
                 * @description How long one request may take, in ms.
                 * @default 15000
                 */
                timeout_ms?: number;
                /**
                 * @description Requests at the same time.
                 * @default 10
                 */
                max_in_flight?: number;
                /**
                 * @description Plain http to a public address as well. Anybody on the way can then read and change what is sent.
                 * @default false
                 */
                allow_http?: boolean;
                /**
                 * @description Requests per second; null: no limit.
                 * @default null
                 */
                rate_per_second?: number | null;
                /** @description Sent with every request. Write-only and encrypted at rest; left out of a change: they stay as they are. */
                headers?: {
                    [key: string]: string;
                };
            } | null;
            /** @description Where a new consumer begins: `now`, `earliest` (the oldest change still kept), a time, or `backfill` (the rows that exist, then changes). Fixed at creation; seek moves the cursor later. */
            start_from?: ("now" | "earliest" | "backfill") | string;
            /** @description How long received messages are leased, in ms, unless a receive call says otherwise. */
            visibility_timeout_ms?: number;
            /** @description Messages leased at the same time. */
            max_in_flight?: number;
            /** @description Receive calls that may wait at the same time, per process; one more answers 429. */
            max_waiting?: number;
            /** @description Deliveries after which a message is dead; null: delivered until acked. */
            max_deliveries?: number | null;
            /**
             * @description `group`: the messages of one group are handled in commit order. `none`: no order is kept.
             * @enum {string}
             */
            ordering?: "group" | "none";
            /** @description Columns that make the group; null: the primary key. */
            group_by?: string[] | null;
            /** @description Free JSON, at most 4 KiB, returned in `metadata.consumer` of every message. */
            annotations?: {
                [key: string]: unknown;
            };
        };
        ConsumerStats: {
            /** @description Selected changes not yet reached. */
            backlog: number;
            /** @description Messages that a receiver holds. */
            leased: number;
            /** @description Messages to be delivered again. */
            retrying: number;
            /** @description Messages whose group is busy. */
            waiting: number;
            /** @description Messages given up. */
            dead: number;
            /** @description Receive calls that wait in the answering process. */
            waiters: number;
            /** @description Age of the oldest change neither acked nor dead; null: none. */
            oldest_unacked_age_ms: number | null;
            /** @description Messages per second over the last minute in the answering process. */
            rates: {
                delivered: number;
                acked: number;
                nacked: number;
            };
            /** @description From the commit to the ack, of messages acked over the last minute in the answering process; null: none. */
            latency: {
                p50_ms: number;
                p95_ms: number;
            } | null;
        };
        PauseRequest: {
            /**
             * Format: date-time
             * @description RFC 3339; left out: until resumed.
             */
            until?: string;
            /** @description Shown to operators. */
            reason?: string;
        };
        PushTestResponse: {
            /** @description The endpoint took the sample: a 2xx. */
            success: boolean;
            /** @description Null: no complete answer came. */
            status: number | null;
            /** @description With look-up and connecting, which a kept connection spares. */
            latency_ms: number;
            /** @description The beginning of the answer’s body, at most 2 KB; null: none. */
            answer: string | null;
            /** @description What went wrong; null: nothing. */
            failure: {
                /**
                 * @description `blocked`: the address is refused. `dns`, `connect`, `tls`: no connection. `timeout`, `closed`, `protocol`: no complete answer, in time or at all. `status`: an answer that is no 2xx.
                 * @enum {string}
                 */
                kind: "blocked" | "dns" | "connect" | "tls" | "timeout" | "closed" | "protocol" | "aborted" | "status";
                message: string;
            } | null;
        };
        WebhookTestRequest: {
            push: {
                /**
                 * Format: uri
                 * @description Where messages are POSTed.
                 * @example https://shipping.example.com/hooks/orders
                 */
                url: string;
                /**
                 * @description Messages per request.
                 * @default 1
                 */
                batch_size?: number;
                /**
                 * @description How long one request may take, in ms.
                 * @default 15000
                 */
                timeout_ms?: number;
                /**
                 * @description Requests at the same time.
                 * @default 10
                 */
                max_in_flight?: number;
                /**
                 * @description Plain http to a public address as well. Anybody on the way can then read and change what is sent.
                 * @default false
                 */
                allow_http?: boolean;
                /**
                 * @description Requests per second; null: no limit.
                 * @default null
                 */
                rate_per_second?: number | null;
                /** @description Sent with every request. Write-only and encrypted at rest; left out of a change: they stay as they are. */
                headers?: {
                    [key: string]: string;
                };
            };
        };
        RotateSecretResponse: {
            /** @description The new secret; shown once. */
            push_secret: string;
            /**
             * Format: date-time
             * @description Until then requests are signed with the previous secret as well.
             * @example 2026-01-31T12:00:00Z
             */
            previous_expires_at: string;
        };
        SeekResponse: {
            /** @description The place in the source’s log. */
            cursor_seq: number;
            /** @description Passed changes that come again; filters apart. */
            would_redeliver: number;
            /** @description Changes ahead, leased or set aside that will not come. */
            would_skip: number;
            dry_run: boolean;
        };
        SeekRequest: {
            to: components["schemas"]["LogTarget"];
            /**
             * @description Only count.
             * @default false
             */
            dry_run?: boolean;
        };
        /** @description A place in the log: the first change there or later. */
        LogTarget: ("earliest" | "latest") | {
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            time: string;
        } | {
            commit_lsn: number;
        } | {
            /** @description The place in the source’s log. */
            seq: number;
        };
        ReplayResponse: {
            /** @description As in `delivery.replay` of its messages. */
            replay: number;
            /** @description Selected changes in the range; filter and key apart. */
            total: number;
        };
        ReplayRequest: {
            from: components["schemas"]["LogTarget"];
            to?: components["schemas"]["LogTarget"];
            /** @description Only this row: its primary key; several columns as a list. A number may be written as a text, as one of more than 15 digits must be. */
            key?: string | number | (string | number | null)[];
        };
        RedriveResponse: {
            redriven: number;
            skipped: number;
            /** @description Seqs whose row has moved on since. */
            superseded: number[];
            /** @description Dead messages left; call again for more. */
            remaining: number;
        };
        RedriveRequest: {
            seqs?: number[];
            /**
             * @description All dead messages.
             * @enum {boolean}
             */
            all?: true;
            /**
             * @description Leave messages whose row has changed and been delivered since.
             * @default false
             */
            skip_superseded?: boolean;
        };
        DiscardResponse: {
            discarded: number;
        };
        DiscardRequest: {
            seqs?: number[];
            /**
             * @description All dead messages.
             * @enum {boolean}
             */
            all?: true;
        };
        PurgeResponse: {
            /** @description Messages that went; a filter is not looked at. */
            purged: number;
        };
        PurgeRequest: {
            /** @description The consumer’s name, typed again. */
            confirm: string;
        };
        StartedBackfills: {
            data: components["schemas"]["Backfill"][];
        };
        Backfill: {
            id: string;
            /** @description Its name. */
            source: string;
            /** @description Whom the rows are for; null: every consumer that selects the table. */
            consumer: string | null;
            /** @description `schema.table`; null: it is not worked out yet which tables are selected. */
            table: string | null;
            /** @enum {string} */
            state: "pending" | "running" | "paused" | "done" | "cancelled" | "failed";
            where: string | null;
            from_key: string[] | null;
            /** @description Looked at so far. */
            rows_scanned: number;
            /** @description Put into the log; the others did not match, or had changed meanwhile. */
            rows_read: number;
            /** @description To be looked at in all, as the database estimates. */
            rows_estimated: number | null;
            rows_per_second: number | null;
            /** @description Why it failed, or what it is about to try again. */
            error: string | null;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            created_at: string;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            started_at: string | null;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            finished_at: string | null;
        };
        ConsumerBackfillRequest: {
            /**
             * @description `schema.table`; left out: every table that the consumer selects.
             * @example public.orders
             */
            table?: string;
            /**
             * @description SQL over the columns of the table: only these rows. It runs with the rights of the source’s role, so the token needs the scope `admin`.
             * @example total_price > 100
             */
            where?: string;
            /**
             * @description The primary key to begin with, a value for each of its columns.
             * @example [
             *       42
             *     ]
             */
            from_key?: (string | number | boolean)[];
        };
        BackfillList: {
            data: components["schemas"]["Backfill"][];
            /** @description Give it as `cursor` to get the next page; null: this is the last. */
            next_cursor: string | null;
        };
        SourceBackfillRequest: {
            /**
             * @description `schema.table`
             * @example public.orders
             */
            table: string;
            /**
             * @description SQL over the columns of the table: only these rows. It runs with the rights of the source’s role, so the token needs the scope `admin`.
             * @example total_price > 100
             */
            where?: string;
            /**
             * @description The primary key to begin with, a value for each of its columns.
             * @example [
             *       42
             *     ]
             */
            from_key?: (string | number | boolean)[];
        };
        ListedMessageList: {
            data: components["schemas"]["ListedMessage"][];
            /** @description Give it as `cursor` to get the next page; null: this is the last. */
            next_cursor: string | null;
        };
        ListedMessage: {
            /** @description The place in the source’s log. */
            seq: number;
            /** @enum {string} */
            action: "insert" | "update" | "delete" | "read" | "truncate";
            table_schema: string;
            table_name: string;
            /** @description The primary key as the inside of a JSON array. */
            key: string | null;
            /** @description RFC 3339 in UTC, with microseconds. */
            commit_timestamp: string;
            commit_lsn: number;
            commit_idx: number;
            /** @description 0, or the replay that brought it again. */
            replay: number;
            /**
             * @description `ahead`: the cursor has not reached it; `waiting`: behind its group; `acked` is listed only for messages delivered more than once.
             * @enum {string}
             */
            state: "ahead" | "leased" | "retrying" | "waiting" | "dead" | "acked";
            /** @description Deliveries that counted so far. */
            attempt: number | null;
            visible_at: string | null;
            lease_expires_at: string | null;
            worker: string | null;
            reason: string | null;
            /** @description The last ten events off the happy path. */
            history: {
                at: string;
                attempt: number;
                /** @description nacked, expired, given_back, dead, acked, redriven, … */
                outcome: string;
                reason?: string;
                worker?: string;
            }[];
            /** @description The row, as it was captured; numbers have all their digits. */
            record: {
                [key: string]: unknown;
            };
            /** @description The row, as it was captured; numbers have all their digits. */
            changes: {
                [key: string]: unknown;
            } | null;
        };
        FanOut: {
            /** @description The place in the source’s log. */
            seq: number;
            /** @enum {string} */
            action: "insert" | "update" | "delete" | "read" | "truncate";
            table_schema: string;
            table_name: string;
            /** @description The primary key as the inside of a JSON array. */
            key: string | null;
            /** @description RFC 3339 in UTC, with microseconds. */
            commit_timestamp: string;
            commit_lsn: number;
            commit_idx: number;
            /** @description The row, as it was captured; numbers have all their digits. */
            record: {
                [key: string]: unknown;
            };
            /** @description The row, as it was captured; numbers have all their digits. */
            changes: {
                [key: string]: unknown;
            } | null;
            /** @description Every consumer that selects the change, by name. */
            consumers: {
                consumer: {
                    id: string;
                    name: string;
                    /** @enum {string} */
                    mode: "pull" | "push";
                };
                /**
                 * @description `ahead`: the cursor has not reached it; `waiting`: behind its group; `before_start`: the consumer began after it.
                 * @enum {string}
                 */
                state: "ahead" | "leased" | "retrying" | "waiting" | "dead" | "acked" | "before_start";
                /** @description Deliveries that counted so far. */
                attempt: number | null;
                visible_at: string | null;
                lease_expires_at: string | null;
                worker: string | null;
                reason: string | null;
                /** @description The last ten events off the happy path. */
                history: {
                    at: string;
                    attempt: number;
                    /** @description nacked, expired, given_back, dead, acked, redriven, … */
                    outcome: string;
                    reason?: string;
                    worker?: string;
                }[];
                /** @description The newest delivery, as far as the answering process knows. */
                delivered_at: string | null;
                /** @description Null: not acked, or the answering process does not know when. */
                acked_at: string | null;
                updated_at: string | null;
            }[];
        };
        FollowedChanges: {
            data: components["schemas"]["Change"][];
            /** @description Everything up to here was looked at: the next `after`. */
            last_seq: number;
            /** @description Whether there is more behind it already. */
            has_more: boolean;
        };
        Change: {
            /** @description The place in the source’s log. */
            seq: number;
            /** @enum {string} */
            action: "insert" | "update" | "delete" | "read" | "truncate";
            table_schema: string;
            table_name: string;
            /** @description The primary key as the inside of a JSON array. */
            key: string | null;
            /** @description RFC 3339 in UTC, with microseconds. */
            commit_timestamp: string;
            commit_lsn: number;
            commit_idx: number;
            /** @description The row, as it was captured; numbers have all their digits. */
            record: {
                [key: string]: unknown;
            };
            /** @description The row, as it was captured; numbers have all their digits. */
            changes: {
                [key: string]: unknown;
            } | null;
        };
        ChangeList: {
            data: components["schemas"]["Change"][];
            /** @description Give it as `cursor` to get the next page; null: this is the last. */
            next_cursor: string | null;
        };
        FilterPreviewResponse: {
            /** @description What is wrong with the selection; then nothing was tried. */
            errors: {
                /** @description JSON pointer into the request. */
                pointer: string;
                detail: string;
                /** @description Where in a filter: offset from 0 in UTF-16 units, the others from 1. */
                position?: {
                    offset: number;
                    line: number;
                    column: number;
                };
            }[];
            passes: number;
            filtered: number;
            fails: number;
            /** @description The newest changes of the tables and actions, the newest first. */
            data: {
                /** @description The place in the source’s log. */
                seq: number;
                /** @enum {string} */
                action: "insert" | "update" | "delete" | "read" | "truncate";
                table_schema: string;
                table_name: string;
                /** @description The primary key as the inside of a JSON array. */
                key: string | null;
                /** @description RFC 3339 in UTC, with microseconds. */
                commit_timestamp: string;
                commit_lsn: number;
                commit_idx: number;
                /** @description The row, as it was captured; numbers have all their digits. */
                record: {
                    [key: string]: unknown;
                };
                /** @description The row, as it was captured; numbers have all their digits. */
                changes: {
                    [key: string]: unknown;
                } | null;
                /** @enum {string} */
                outcome: "passes" | "filtered" | "fails";
                /** @description Why it fails: such a change would become a dead message. */
                reason: string | null;
            }[];
        };
        FilterPreviewRequest: {
            /**
             * @description Which tables: `schema.table`, `schema.*` or `*`.
             * @default [
             *       "*"
             *     ]
             * @example [
             *       "public.orders"
             *     ]
             */
            tables?: string[];
            /**
             * @description Which kinds of change. `read` (rows found by a backfill) always comes.
             * @default [
             *       "insert",
             *       "update",
             *       "delete"
             *     ]
             */
            actions?: ("insert" | "update" | "delete" | "truncate")[];
            /**
             * @description A CEL expression over `record`, `changes`, `action` and `metadata`; null: everything. A change applies from the cursor on.
             * @default null
             * @example record.total_price > 100.0
             */
            filter?: string | null;
            /** @default 50 */
            limit?: number;
        };
        SourceList: {
            data: components["schemas"]["Source"][];
            /** @description Give it as `cursor` to get the next page; null: this is the last. */
            next_cursor: string | null;
        };
        Source: {
            /** Format: uuid */
            id: string;
            /** @description Unique. 1 to 63 characters of `a-z`, `0-9`, `_` and `-`. */
            name: string;
            host: string;
            port: number;
            database: string;
            user: string;
            ssl: {
                /** @enum {string} */
                mode: "disable" | "prefer" | "require" | "verify-ca" | "verify-full";
                ca?: string;
            };
            slot: string;
            publication: string;
            /** @description The tables asked for when the publication was made; null: all. */
            tables: string[] | null;
            /** @description Free JSON of your own, at most 4 KiB. */
            annotations: {
                [key: string]: unknown;
            };
            /**
             * @description Of the reader.
             * @enum {string}
             */
            state: "starting" | "healthy" | "retrying" | "needs_attention" | "paused";
            /** @description Why it is not healthy. */
            state_reason: string | null;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            created_at: string;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            updated_at: string;
        };
        /** @description Either `url`, or `host`, `database` and `user`. */
        SourceCreate: {
            /** @description Unique. 1 to 63 characters of `a-z`, `0-9`, `_` and `-`. */
            name: string;
            /**
             * @description A connection string, instead of host, port, database, user, password and ssl. Write-only.
             * @example postgres://millrace:secret@db.example.com:5432/shop?sslmode=verify-full
             */
            url?: string;
            host?: string;
            /** @default 5432 */
            port?: number;
            database?: string;
            user?: string;
            /** @description Write-only, encrypted at rest; null: the server asks for none. */
            password?: string | null;
            /**
             * @description Left out: as the URL says, else `prefer`. May stand beside `url`.
             * @default {
             *       "mode": "prefer"
             *     }
             */
            ssl?: {
                /** @enum {string} */
                mode: "disable" | "prefer" | "require" | "verify-ca" | "verify-full";
                /** @description Certificates to trust, in PEM; left out: those of the system. */
                ca?: string;
            };
            /** @description The replication slot; left out: `millrace_<name>`. */
            slot?: string;
            /** @description The publication; left out: `millrace_<name>`. */
            publication?: string;
            /**
             * @description Whether to make the slot and the publication where they do not exist.
             * @default true
             */
            create?: boolean;
            /**
             * @description The tables of a publication that is made, as `schema.table`; null: all.
             * @example [
             *       "public.orders"
             *     ]
             */
            tables?: string[] | null;
            /** @description Free JSON of your own, at most 4 KiB. */
            annotations?: {
                [key: string]: unknown;
            };
        };
        Checks: {
            /** @description Whether no check failed. */
            ok: boolean;
            checks: components["schemas"]["Check"][];
        };
        Check: {
            /** @description What was checked. */
            name: string;
            /** @enum {string} */
            status: "pass" | "warn" | "fail";
            /** @description What was found. */
            detail: string;
            /** @description What mends it; null: nothing to run. */
            sql: string | null;
        };
        /** @description Either `url`, or `host`, `database` and `user`. */
        SourceTest: {
            /** @description Unique. 1 to 63 characters of `a-z`, `0-9`, `_` and `-`. */
            name?: string;
            /**
             * @description A connection string, instead of host, port, database, user, password and ssl. Write-only.
             * @example postgres://millrace:secret@db.example.com:5432/shop?sslmode=verify-full
             */
            url?: string;
            host?: string;
            /** @default 5432 */
            port?: number;
            database?: string;
            user?: string;
            /** @description Write-only, encrypted at rest; null: the server asks for none. */
            password?: string | null;
            /**
             * @description Left out: as the URL says, else `prefer`. May stand beside `url`.
             * @default {
             *       "mode": "prefer"
             *     }
             */
            ssl?: {
                /** @enum {string} */
                mode: "disable" | "prefer" | "require" | "verify-ca" | "verify-full";
                /** @description Certificates to trust, in PEM; left out: those of the system. */
                ca?: string;
            };
            /** @description The replication slot; left out: `millrace_<name>`. */
            slot?: string;
            /** @description The publication; left out: `millrace_<name>`. */
            publication?: string;
            /**
             * @description Whether to make the slot and the publication where they do not exist.
             * @default true
             */
            create?: boolean;
            /**
             * @description The tables of a publication that is made, as `schema.table`; null: all.
             * @example [
             *       "public.orders"
             *     ]
             */
            tables?: string[] | null;
            /** @description Free JSON of your own, at most 4 KiB. */
            annotations?: {
                [key: string]: unknown;
            };
        };
        /** @description Either `url`, or `host`, `database` and `user`. */
        SourcePut: {
            /**
             * @description A connection string, instead of host, port, database, user, password and ssl. Write-only.
             * @example postgres://millrace:secret@db.example.com:5432/shop?sslmode=verify-full
             */
            url?: string;
            host?: string;
            /** @default 5432 */
            port?: number;
            database?: string;
            user?: string;
            /** @description Write-only, encrypted at rest; null: the server asks for none. */
            password?: string | null;
            /**
             * @description Left out: as the URL says, else `prefer`. May stand beside `url`.
             * @default {
             *       "mode": "prefer"
             *     }
             */
            ssl?: {
                /** @enum {string} */
                mode: "disable" | "prefer" | "require" | "verify-ca" | "verify-full";
                /** @description Certificates to trust, in PEM; left out: those of the system. */
                ca?: string;
            };
            /** @description The replication slot; left out: `millrace_<name>`. */
            slot?: string;
            /** @description The publication; left out: `millrace_<name>`. */
            publication?: string;
            /**
             * @description Whether to make the slot and the publication where they do not exist.
             * @default true
             */
            create?: boolean;
            /**
             * @description The tables of a publication that is made, as `schema.table`; null: all.
             * @example [
             *       "public.orders"
             *     ]
             */
            tables?: string[] | null;
            /** @description Free JSON of your own, at most 4 KiB. */
            annotations?: {
                [key: string]: unknown;
            };
        };
        SourcePatch: {
            /**
             * @description A connection string, instead of host, port, database, user, password and ssl. Write-only.
             * @example postgres://millrace:secret@db.example.com:5432/shop?sslmode=verify-full
             */
            url?: string;
            host?: string;
            port?: number;
            database?: string;
            user?: string;
            /** @description Write-only, encrypted at rest; null: the server asks for none. */
            password?: string | null;
            /** @description Left out: as the URL says, else `prefer`. May stand beside `url`. */
            ssl?: {
                /** @enum {string} */
                mode: "disable" | "prefer" | "require" | "verify-ca" | "verify-full";
                /** @description Certificates to trust, in PEM; left out: those of the system. */
                ca?: string;
            };
            /** @description The replication slot; left out: `millrace_<name>`. */
            slot?: string;
            /** @description The publication; left out: `millrace_<name>`. */
            publication?: string;
            /** @description Whether to make the slot and the publication where they do not exist. */
            create?: boolean;
            /**
             * @description The tables of a publication that is made, as `schema.table`; null: all.
             * @example [
             *       "public.orders"
             *     ]
             */
            tables?: string[] | null;
            /** @description Free JSON of your own, at most 4 KiB. */
            annotations?: {
                [key: string]: unknown;
            };
        };
        SourceTables: {
            data: components["schemas"]["SourceTable"][];
            /** @description Every type that a column has or is made of, by name. */
            types: components["schemas"]["ColumnType"][];
        };
        SourceTable: {
            schema: string;
            table: string;
            /** @description Whether the publication holds it. */
            captured: boolean;
            /** @enum {string} */
            replica_identity: "default" | "full" | "index" | "nothing";
            primary_key: string[];
            columns: {
                name: string;
                /**
                 * @description As Postgres prints it, with its modifier; described under `types`.
                 * @example numeric(10,2)
                 */
                type: string;
                /** @description Of an array, as declared; 0: it is none. */
                dimensions: number;
                key: boolean;
                nullable: boolean;
                /** @description Whether it arrives in `record`; generated ones mostly do not. */
                published: boolean;
            }[];
            /** @description As the planner believes; null: unknown. */
            estimated_rows: number | null;
        };
        ColumnType: {
            /**
             * @description As Postgres prints it, with its modifier; described under `types`.
             * @example numeric(10,2)
             */
            type: string;
            schema: string;
            /** @description Without schema and modifier. */
            name: string;
            /** @enum {string} */
            kind: "scalar" | "enum" | "array" | "composite" | "domain";
            /**
             * @description What a scalar is in `record`. `bigint` and `decimal` may have more digits than a double holds; `float` and `decimal` may be the strings NaN, Infinity, -Infinity; `map`: strings and nulls by strings.
             * @enum {string|null}
             */
            json: "boolean" | "integer" | "bigint" | "float" | "decimal" | "string" | "any" | "map" | null;
            /** @description Of a numeric with a limit. */
            precision: number | null;
            scale: number | null;
            /** @description Of an enum, in order. */
            labels: string[] | null;
            /** @description The elements of an array, what a domain stands for. */
            base: {
                /**
                 * @description As Postgres prints it, with its modifier; described under `types`.
                 * @example numeric(10,2)
                 */
                type: string;
                /** @description Of an array, as declared; 0: it is none. */
                dimensions: number;
            } | null;
            /** @description Of a composite. */
            fields: {
                name: string;
                /**
                 * @description As Postgres prints it, with its modifier; described under `types`.
                 * @example numeric(10,2)
                 */
                type: string;
                /** @description Of an array, as declared; 0: it is none. */
                dimensions: number;
            }[] | null;
        };
        SourceHealth: {
            /** @enum {string} */
            state: "starting" | "healthy" | "retrying" | "needs_attention" | "paused";
            reason: string | null;
            /** @description What to run or to change. */
            remedy: string | null;
            /**
             * Format: date-time
             * @description When the state began.
             * @example 2026-01-31T12:00:00Z
             */
            since: string;
            /** @description LSNs between which changes are known to be missing. */
            gaps: components["schemas"]["SourceGap"][];
            /** @description Changes that could not be decoded and are kept aside. */
            undecodable: number;
            /** @description What the slot was told. */
            confirmed_lsn: string | null;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            confirmed_at: string | null;
            /**
             * Format: date-time
             * @description Commit time of the newest change stored.
             * @example 2026-01-31T12:00:00Z
             */
            last_commit_at: string | null;
            /** @description Null: the slot is gone or the source did not answer. */
            slot: {
                active: boolean;
                /** @description WAL not yet confirmed. */
                lag_bytes: number;
                wal_status: string | null;
                /** @description Bytes until the slot is lost. */
                safe_wal_size: number | null;
            } | null;
        };
        SourceGap: {
            /**
             * @description LSN up to which changes are stored.
             * @example 0/16B3748
             */
            from: string;
            /**
             * @description LSN from which they are again.
             * @example 0/16F0A10
             */
            to: string;
            reason: string;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            at: string;
            /** @description Somebody said to go on behind it. */
            accepted?: boolean;
        };
        TokenList: {
            data: components["schemas"]["Token"][];
            /** @description Give it as `cursor` to get the next page; null: this is the last. */
            next_cursor: string | null;
        };
        Token: {
            id: string;
            name: string;
            /**
             * @description `consume`: receive and settle. `read`: look, never deliver. `manage`: pause, seek, replay, redrive, purge. `admin`: create, change, delete, tokens. None includes another.
             * @example [
             *       "consume"
             *     ]
             */
            scopes: ("consume" | "read" | "manage" | "admin")[];
            consumers: "*" | string[];
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            created_at: string;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            revoked_at: string | null;
            /**
             * Format: date-time
             * @description To the minute.
             * @example 2026-01-31T12:00:00Z
             */
            last_used_at: string | null;
        };
        CreatedToken: components["schemas"]["Token"] & {
            /**
             * @description Shown this once.
             * @example mr_0a1b2c3d4e5f_…
             */
            token: string;
        };
        TokenCreate: {
            /**
             * @description A label.
             * @example shipping, production
             */
            name: string;
            /**
             * @description `consume`: receive and settle. `read`: look, never deliver. `manage`: pause, seek, replay, redrive, purge. `admin`: create, change, delete, tokens. None includes another.
             * @example [
             *       "consume"
             *     ]
             */
            scopes: ("consume" | "read" | "manage" | "admin")[];
            /**
             * @description Names of the consumers it is bound to, or `*` for all and everything else.
             * @default *
             * @example [
             *       "shipping"
             *     ]
             */
            consumers?: "*" | string[];
            /**
             * Format: date-time
             * @description RFC 3339; null: never.
             * @default null
             */
            expires_at?: string | null;
        };
        ConfigurationExport: {
            /** @description As a `millrace.yaml` has it: secrets are `${VARIABLES}`, and every other `$` is doubled. */
            configuration: {
                [key: string]: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
            };
            /** @description The variables in it. */
            variables: string[];
            /** @description What a file cannot say. */
            omitted: {
                /** @enum {string} */
                kind: "source" | "consumer" | "token";
                name: string;
                reason: string;
            }[];
        };
        ConfigurationPlan: {
            changes: components["schemas"]["ConfigurationChange"][];
            /** @description There, but not in the configuration: left alone without `prune`. */
            unlisted: {
                /** @enum {string} */
                kind: "source" | "consumer" | "token";
                name: string;
            }[];
        };
        ConfigurationChange: {
            /** @enum {string} */
            kind: "source" | "consumer" | "token";
            name: string;
            /**
             * @description `replace`: of a token whose secret is another one.
             * @enum {string}
             */
            action: "create" | "update" | "replace" | "delete";
            /** @description What is set or changed; of a creation what was given. */
            fields: {
                field: string;
                /** @description Absent where there was none, and for secrets. */
                before?: unknown;
                after?: unknown;
                /** @description The values are not shown. */
                secret: boolean;
            }[];
        };
        ConfigurationRequest: components["schemas"]["Configuration"] & {
            /**
             * @description Whether to delete what is not listed, in the sections that are given; a section that is left out is left alone.
             * @default false
             */
            prune?: boolean;
        };
        TokenConfiguration: {
            /**
             * @description `consume`: receive and settle. `read`: look, never deliver. `manage`: pause, seek, replay, redrive, purge. `admin`: create, change, delete, tokens. None includes another.
             * @example [
             *       "consume"
             *     ]
             */
            scopes: ("consume" | "read" | "manage" | "admin")[];
            /**
             * @description Names of the consumers it is bound to, or `*` for all and everything else.
             * @default *
             * @example [
             *       "shipping"
             *     ]
             */
            consumers?: "*" | string[];
            /**
             * Format: date-time
             * @description RFC 3339; null: never.
             * @default null
             */
            expires_at?: string | null;
            /** @description The token itself, made elsewhere; left out: it is made here and shown once. Write-only. */
            token?: string;
        };
        Configuration: {
            /** @description Databases whose changes are captured, by name. */
            sources?: {
                [key: string]: components["schemas"]["SourcePut"];
            };
            /** @description Queues, by name. */
            consumers?: {
                [key: string]: components["schemas"]["ConsumerPut"];
            };
            /** @description Who may do what, by name. */
            tokens?: {
                [key: string]: components["schemas"]["TokenConfiguration"];
            };
        };
        ConfigurationResult: {
            changes: components["schemas"]["ConfigurationChange"][];
            /** @description There, but not in the configuration: left alone without `prune`. */
            unlisted: {
                /** @enum {string} */
                kind: "source" | "consumer" | "token";
                name: string;
            }[];
            /** @description Tokens and signing secrets that were made; shown this once. */
            secrets: {
                /** @enum {string} */
                kind: "source" | "consumer" | "token";
                name: string;
                secret: string;
            }[];
            /** @description Sources that were to go and could not; all else is done. */
            not_deleted: {
                /** @enum {string} */
                kind: "source" | "consumer" | "token";
                name: string;
                reason: string;
            }[];
        };
        Liveness: {
            /** @enum {string} */
            status: "ok";
            version: string;
            /** @description What this process does. */
            roles: string[];
        };
        Readiness: {
            /** @enum {string} */
            status: "ok" | "unavailable";
            checks: {
                /**
                 * @description The storage database and its migrations.
                 * @enum {string}
                 */
                storage: "ok" | "unreachable" | "not_migrated";
                /** @description Whether this process is about to stop. */
                draining: boolean;
            };
        };
        ProcessList: {
            data: components["schemas"]["Process"][];
        };
        Process: {
            /** Format: uuid */
            id: string;
            host: string;
            pid: number;
            version: string;
            roles: string[];
            /**
             * Format: date-time
             * @description RFC 3339, in UTC.
             * @example 2026-01-31T12:00:00Z
             */
            started_at: string;
            /**
             * Format: date-time
             * @description Its last heartbeat; one comes every 5 s.
             * @example 2026-01-31T12:00:00Z
             */
            seen_at: string;
            /** @description Names of the sources that it reads at the moment. */
            reads: string[];
        };
        SequinReceiveResponse: {
            data: {
                /**
                 * @description The `ack_id` of a received message, unchanged.
                 * @example a-1-2s-k3x9f2-0-1z4
                 */
                ack_id: string;
                data: {
                    /** @description The row’s columns; numbers have all their digits. */
                    record: {
                        [key: string]: unknown;
                    };
                    /** @description The previous values of the columns that changed; null: none. */
                    changes: {
                        [key: string]: unknown;
                    } | null;
                    /** @enum {string} */
                    action: "insert" | "update" | "delete" | "read" | "truncate";
                    metadata: components["schemas"]["MessageMetadata"];
                };
            }[];
        };
        SequinReceiveRequest: {
            /** @description Messages at most; 1. */
            batch_size?: number;
            /** @description The same; it goes before `batch_size`. */
            max_batch_size?: number;
            /**
             * @description In ms, or as "20s". More than 55 s counts as 55 s.
             * @default 0
             */
            wait_for?: number | string;
        };
        SequinSettleResponse: {
            /** @enum {boolean} */
            success: true;
            /** @description Ids that settled nothing, because their lease was lost. */
            lease_lost?: string[];
        };
        SequinSettleRequest: {
            ack_ids: string[];
        };
    };
    responses: {
        /** @description Malformed. */
        Refusal400: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The token is missing, unknown, revoked or expired. */
        Refusal401: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The token lacks the scope. */
        Refusal403: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description There is no such thing, or the token is not for it. */
        Refusal404: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description In conflict with how things are; the code says which. */
        Refusal409: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The body is too large. */
        Refusal413: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The body is not JSON. */
        Refusal415: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Not valid; nothing was changed. */
        Refusal422: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Too many at once; Retry-After says when to come again. */
        Refusal429: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Draining, or the storage is away; Retry-After says when to come again. */
        Refusal503: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    receiveMessages: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 1024 KiB. */
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ReceiveRequest"];
            };
        };
        responses: {
            /** @description Messages, or none. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReceiveResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            429: components["responses"]["Refusal429"];
            503: components["responses"]["Refusal503"];
        };
    };
    ackMessages: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 1024 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["AckRequest"];
            };
        };
        responses: {
            /** @description Everything was done as asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettleResponse"];
                };
            };
            /** @description Some ids were not; the results say which and why. */
            207: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettleResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    nackMessages: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 1024 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["NackRequest"];
            };
        };
        responses: {
            /** @description Everything was done as asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettleResponse"];
                };
            };
            /** @description Some ids were not; the results say which and why. */
            207: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettleResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    extendMessages: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 1024 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["ExtendRequest"];
            };
        };
        responses: {
            /** @description Everything was done as asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettleResponse"];
                };
            };
            /** @description Some ids were not; the results say which and why. */
            207: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettleResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    settleMessages: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 1024 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SettleRequest"];
            };
        };
        responses: {
            /** @description Everything was done as asked. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettleResponse"];
                };
            };
            /** @description Some ids were not; the results say which and why. */
            207: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SettleResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    listConsumers: {
        parameters: {
            query?: {
                /** @description Entries of a page. */
                limit?: number;
                /** @description `next_cursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of consumers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConsumerList"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            503: components["responses"]["Refusal503"];
        };
    };
    createConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConsumerCreate"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedConsumer"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    getConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The consumer. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Consumer"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    putConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConsumerPut"];
            };
        };
        responses: {
            /** @description Changed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Consumer"];
                };
            };
            /** @description Created. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedConsumer"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    deleteConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    patchConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConsumerPatch"];
            };
        };
        responses: {
            /** @description Changed. With `push_secret` when the change made one. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedConsumer"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    getConsumerStats: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The counts. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConsumerStats"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    pauseConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PauseRequest"];
            };
        };
        responses: {
            /** @description Paused. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Consumer"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    resumeConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Resumed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Consumer"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    testPush: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What became of it. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PushTestResponse"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            503: components["responses"]["Refusal503"];
        };
    };
    testWebhook: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["WebhookTestRequest"];
            };
        };
        responses: {
            /** @description What became of it. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PushTestResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    rotatePushSecret: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The new secret. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RotateSecretResponse"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            503: components["responses"]["Refusal503"];
        };
    };
    seekConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SeekRequest"];
            };
        };
        responses: {
            /** @description Moved, or counted. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SeekResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    replayConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["ReplayRequest"];
            };
        };
        responses: {
            /** @description Begun. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReplayResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    redriveConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["RedriveRequest"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RedriveResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    discardMessages: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["DiscardRequest"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DiscardResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    purgeConsumer: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["PurgeRequest"];
            };
        };
        responses: {
            /** @description Emptied. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PurgeResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    listConsumerBackfills: {
        parameters: {
            query?: {
                /** @description Entries of a page. */
                limit?: number;
                /** @description `next_cursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page, the newest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BackfillList"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    startConsumerBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ConsumerBackfillRequest"];
            };
        };
        responses: {
            /** @description Asked for. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StartedBackfills"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    getConsumerBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
                /** @description Id of the backfill. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The backfill. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backfill"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    pauseConsumerBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
                /** @description Id of the backfill. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The backfill. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backfill"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            503: components["responses"]["Refusal503"];
        };
    };
    resumeConsumerBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
                /** @description Id of the backfill. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The backfill. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backfill"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            503: components["responses"]["Refusal503"];
        };
    };
    cancelConsumerBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
                /** @description Id of the backfill. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The backfill. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backfill"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            503: components["responses"]["Refusal503"];
        };
    };
    listSourceBackfills: {
        parameters: {
            query?: {
                /** @description Entries of a page. */
                limit?: number;
                /** @description `next_cursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page, the newest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BackfillList"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    startSourceBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourceBackfillRequest"];
            };
        };
        responses: {
            /** @description Asked for. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StartedBackfills"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    getSourceBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
                /** @description Id of the backfill. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The backfill. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backfill"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    pauseSourceBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
                /** @description Id of the backfill. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The backfill. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backfill"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            503: components["responses"]["Refusal503"];
        };
    };
    resumeSourceBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
                /** @description Id of the backfill. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The backfill. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backfill"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            503: components["responses"]["Refusal503"];
        };
    };
    cancelSourceBackfill: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
                /** @description Id of the backfill. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The backfill. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Backfill"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            503: components["responses"]["Refusal503"];
        };
    };
    listMessages: {
        parameters: {
            query?: {
                /** @description Entries of a page. */
                limit?: number;
                /** @description `next_cursor` of the page before; opaque. */
                cursor?: string;
                /** @description `ahead`: the cursor has not reached it; `waiting`: behind its group; `acked` is listed only for messages delivered more than once. */
                state?: "ahead" | "leased" | "retrying" | "waiting" | "dead" | "acked";
                /** @description `schema.table` */
                table?: string;
                /** @description The primary key as JSON: `42`, `"a"`, or for several columns `[42,"a"]`. */
                key?: string;
                /** @description Committed then or later. */
                from?: string;
            };
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of messages. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ListedMessageList"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    getMessage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
                seq: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FanOut"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    followConsumer: {
        parameters: {
            query?: {
                /** @description Entries of a page. */
                limit?: number;
                /** @description Only behind this seq; `latest`: only what is yet to come. */
                after?: "latest" | (number | null) | null;
                /** @description Committed then or later. */
                from?: string;
            };
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Changes, oldest first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FollowedChanges"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    listChanges: {
        parameters: {
            query?: {
                /** @description Entries of a page. */
                limit?: number;
                /** @description `next_cursor` of the page before; opaque. */
                cursor?: string;
                /** @description `schema.table` */
                table?: string;
                /** @description The primary key as JSON: `42`, `"a"`, or for several columns `[42,"a"]`. */
                key?: string;
                /** @description Committed then or later. */
                from?: string;
                /** @description Which come first. */
                order?: "oldest" | "newest";
            };
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of changes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChangeList"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    getChange: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
                seq: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The change. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FanOut"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    previewFilter: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["FilterPreviewRequest"];
            };
        };
        responses: {
            /** @description What was found. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FilterPreviewResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    listSources: {
        parameters: {
            query?: {
                /** @description Entries of a page. */
                limit?: number;
                /** @description `next_cursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of sources. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SourceList"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            503: components["responses"]["Refusal503"];
        };
    };
    createSource: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourceCreate"];
            };
        };
        responses: {
            /** @description Created. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Source"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    testSource: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourceTest"];
            };
        };
        responses: {
            /** @description What was found. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checks"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    getSource: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The source. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Source"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    putSource: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourcePut"];
            };
        };
        responses: {
            /** @description Changed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Source"];
                };
            };
            /** @description Created. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Source"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    deleteSource: {
        parameters: {
            query?: {
                /** @description `false`: leave the slot where it is; it holds WAL back until dropped. */
                drop_slot?: "true" | "false";
            };
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Deleted. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    patchSource: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SourcePatch"];
            };
        };
        responses: {
            /** @description Changed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Source"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    listSourceTables: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The tables. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SourceTables"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    checkSource: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was found. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checks"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    getSourceHealth: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Reader and slot. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SourceHealth"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    acceptSourceGap: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the source. */
                source: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was missed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SourceGap"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    listTokens: {
        parameters: {
            query?: {
                /** @description Entries of a page. */
                limit?: number;
                /** @description `next_cursor` of the page before; opaque. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of tokens. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TokenList"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            503: components["responses"]["Refusal503"];
        };
    };
    createToken: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenCreate"];
            };
        };
        responses: {
            /** @description The token, shown this once. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedToken"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    deleteToken: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the token. */
                token: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Revoked. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            503: components["responses"]["Refusal503"];
        };
    };
    getConfiguration: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The configuration. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigurationExport"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            503: components["responses"]["Refusal503"];
        };
    };
    putConfiguration: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description At most 4096 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConfigurationRequest"];
            };
        };
        responses: {
            /** @description What was changed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigurationResult"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    planConfiguration: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** @description At most 4096 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["ConfigurationRequest"];
            };
        };
        responses: {
            /** @description The changes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigurationPlan"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    getLiveness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It does. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Liveness"];
                };
            };
        };
    };
    getReadiness: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It can. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description It cannot at the moment. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
    checkStorage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was found. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checks"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            503: components["responses"]["Refusal503"];
        };
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Metrics. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            503: components["responses"]["Refusal503"];
        };
    };
    getOpenApi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OpenAPI 3.1. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/yaml": string;
                };
            };
        };
    };
    listProcesses: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The processes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProcessList"];
                };
            };
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            503: components["responses"]["Refusal503"];
        };
    };
    sequinReceiveByGet: {
        parameters: {
            query?: {
                /** @description Messages at most; 1. */
                batch_size?: number;
                /** @description The same; it goes before `batch_size`. */
                max_batch_size?: number;
                /** @description In ms, or as "20s". More than 55 s counts as 55 s. */
                wait_for?: number | string;
            };
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Messages, or none. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SequinReceiveResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            429: components["responses"]["Refusal429"];
            503: components["responses"]["Refusal503"];
        };
    };
    sequinReceive: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SequinReceiveRequest"];
            };
        };
        responses: {
            /** @description Messages, or none. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SequinReceiveResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            429: components["responses"]["Refusal429"];
            503: components["responses"]["Refusal503"];
        };
    };
    sequinAck: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 1024 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SequinSettleRequest"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SequinSettleResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    sequinNack: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 1024 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SequinSettleRequest"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SequinSettleResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    sequinStreamReceiveByGet: {
        parameters: {
            query?: {
                /** @description Messages at most; 1. */
                batch_size?: number;
                /** @description The same; it goes before `batch_size`. */
                max_batch_size?: number;
                /** @description In ms, or as "20s". More than 55 s counts as 55 s. */
                wait_for?: number | string;
            };
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Messages, or none. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SequinReceiveResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            429: components["responses"]["Refusal429"];
            503: components["responses"]["Refusal503"];
        };
    };
    sequinStreamReceive: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 256 KiB. */
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SequinReceiveRequest"];
            };
        };
        responses: {
            /** @description Messages, or none. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SequinReceiveResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            409: components["responses"]["Refusal409"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            429: components["responses"]["Refusal429"];
            503: components["responses"]["Refusal503"];
        };
    };
    sequinStreamAck: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 1024 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SequinSettleRequest"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SequinSettleResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
    sequinStreamNack: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Name or id of the consumer. */
                consumer: string;
            };
            cookie?: never;
        };
        /** @description At most 1024 KiB. */
        requestBody: {
            content: {
                "application/json": components["schemas"]["SequinSettleRequest"];
            };
        };
        responses: {
            /** @description Done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SequinSettleResponse"];
                };
            };
            400: components["responses"]["Refusal400"];
            401: components["responses"]["Refusal401"];
            403: components["responses"]["Refusal403"];
            404: components["responses"]["Refusal404"];
            413: components["responses"]["Refusal413"];
            415: components["responses"]["Refusal415"];
            422: components["responses"]["Refusal422"];
            503: components["responses"]["Refusal503"];
        };
    };
}
