/// Every way a request can fail, as the stable `code` of its answer; explained in `docs/ERRORS.md`.
package enum ProblemCode: String, CaseIterable, Sendable {
    // 400: the request is wrong.
    case malformedRequest = "malformed_request"
    case malformedJSON = "malformed_json"
    case invalidBody = "invalid_body"
    case invalidValue = "invalid_value"
    case missingColumn = "missing_column"
    case unknownColumn = "unknown_column"
    case generatedColumn = "generated_column"
    case duplicateRows = "duplicate_rows"
    case tooManyRows = "too_many_rows"
    case invalidParameter = "invalid_parameter"
    case invalidHeader = "invalid_header"
    case invalidFilter = "invalid_filter"
    case invalidSelect = "invalid_select"
    case invalidOrder = "invalid_order"
    case invalidCursor = "invalid_cursor"
    case invalidConflictTarget = "invalid_conflict_target"
    case filterRequired = "filter_required"
    case columnNotIndexed = "column_not_indexed"
    case queryTooComplex = "query_too_complex"
    case embeddingUnsupported = "embedding_unsupported"
    case aggregateUnsupported = "aggregate_unsupported"
    case ownerRequired = "owner_required"
    case maxAffectedExceeded = "max_affected_exceeded"

    // 401 to 406: who asks, and for what.
    case unauthenticated = "unauthenticated"
    case forbidden = "forbidden"
    case unknownRoute = "unknown_route"
    case unknownPack = "unknown_pack"
    case unknownEntity = "unknown_entity"
    case unknownState = "unknown_state"
    case unknownChannel = "unknown_channel"
    case notFound = "not_found"
    case methodNotAllowed = "method_not_allowed"
    case appendOnly = "append_only"
    case readOnlyEntity = "read_only_entity"
    case notAcceptable = "not_acceptable"
    case notSingular = "not_singular"

    // 408 to 431: the request meets a state or a limit.
    case requestTimedOut = "request_timed_out"
    case uniqueViolation = "unique_violation"
    case foreignKeyViolation = "foreign_key_violation"
    case rowInUse = "row_in_use"
    case exclusionViolation = "exclusion_violation"
    case stateUnreadable = "state_unreadable"
    case preconditionFailed = "precondition_failed"
    case bodyTooLarge = "body_too_large"
    case urlTooLong = "url_too_long"
    case unsupportedMediaType = "unsupported_media_type"
    case expectationFailed = "expectation_failed"
    case domainRule = "domain_rule"
    case ownerMismatch = "owner_mismatch"
    case ownerImmutable = "owner_immutable"
    case keyMismatch = "key_mismatch"
    case rateLimited = "rate_limited"
    case headersTooLarge = "headers_too_large"

    // 500 to 505: we or a store cannot.
    case internalError = "internal_error"
    case notImplemented = "not_implemented"
    case versionUnsupported = "version_unsupported"
    case storeUnavailable = "store_unavailable"
    case outcomeUnknown = "outcome_unknown"
    case overloaded = "overloaded"
    case writeConflict = "write_conflict"
    case databaseReadOnly = "database_read_only"
    case lanesBehind = "lanes_behind"
    case historyFull = "history_full"
    case deadlineExceeded = "deadline_exceeded"

    /// The HTTP status of the answer.
    package var status: Int {
        switch self {
        case .malformedRequest, .malformedJSON, .invalidBody, .invalidValue, .missingColumn,
            .unknownColumn,
            .generatedColumn, .duplicateRows, .tooManyRows, .invalidParameter, .invalidHeader,
            .invalidFilter, .invalidSelect, .invalidOrder, .invalidCursor, .invalidConflictTarget,
            .filterRequired, .columnNotIndexed, .queryTooComplex, .embeddingUnsupported,
            .aggregateUnsupported, .ownerRequired, .maxAffectedExceeded:
            400
        case .unauthenticated: 401
        case .forbidden: 403
        case .unknownRoute, .unknownPack, .unknownEntity, .unknownState, .unknownChannel,
            .notFound:
            404
        case .methodNotAllowed, .appendOnly, .readOnlyEntity: 405
        case .notAcceptable, .notSingular: 406
        case .requestTimedOut: 408
        case .uniqueViolation, .foreignKeyViolation, .rowInUse, .exclusionViolation,
            .stateUnreadable:
            409
        case .preconditionFailed: 412
        case .bodyTooLarge: 413
        case .urlTooLong: 414
        case .unsupportedMediaType: 415
        case .expectationFailed: 417
        case .domainRule, .ownerMismatch, .ownerImmutable, .keyMismatch: 422
        case .rateLimited: 429
        case .headersTooLarge: 431
        case .internalError: 500
        case .notImplemented: 501
        case .versionUnsupported: 505
        case .storeUnavailable, .outcomeUnknown, .overloaded, .writeConflict, .databaseReadOnly,
            .lanesBehind, .historyFull:
            503
        case .deadlineExceeded: 504
        }
    }

    /// A short summary that is the same for every occurrence.
    package var title: String {
        switch self {
        case .malformedRequest: "The request is not valid HTTP"
        case .requestTimedOut: "The request did not arrive in time"
        case .expectationFailed: "The expectation is not known"
        case .notImplemented: "The method or encoding is not known"
        case .versionUnsupported: "The HTTP version is not supported"
        case .malformedJSON: "The body is not valid JSON"
        case .invalidBody: "The body has the wrong shape"
        case .invalidValue: "A value does not fit"
        case .missingColumn: "A required column is missing"
        case .unknownColumn: "There is no such column"
        case .generatedColumn: "The column is generated by the database"
        case .duplicateRows: "The body names the same row twice"
        case .tooManyRows: "Too many rows in one request"
        case .invalidParameter: "A query parameter is invalid"
        case .invalidHeader: "A header is invalid"
        case .invalidFilter: "A filter is invalid"
        case .invalidSelect: "The select parameter is invalid"
        case .invalidOrder: "The order parameter is invalid"
        case .invalidCursor: "The cursor does not belong to this list"
        case .invalidConflictTarget: "on_conflict names no unique key"
        case .filterRequired: "A filter is required"
        case .columnNotIndexed: "The column is not indexed"
        case .queryTooComplex: "The query passes a limit"
        case .embeddingUnsupported: "Embedding is not supported"
        case .aggregateUnsupported: "Aggregates are not supported"
        case .ownerRequired: "An owner is required"
        case .maxAffectedExceeded: "More rows than max-affected allows"
        case .unauthenticated: "Credentials are missing or invalid"
        case .forbidden: "Not allowed"
        case .unknownRoute: "There is no such route"
        case .unknownPack: "There is no such pack"
        case .unknownEntity: "There is no such entity"
        case .unknownState: "There is no such state or cache"
        case .unknownChannel: "There is no such channel"
        case .notFound: "There is no such row"
        case .methodNotAllowed: "The method is not allowed here"
        case .appendOnly: "Rows of this entity never change"
        case .readOnlyEntity: "This entity can only be read"
        case .notAcceptable: "None of the accepted media types is available"
        case .notSingular: "The result is not exactly one row"
        case .uniqueViolation: "A row with this key exists"
        case .foreignKeyViolation: "A referenced row does not exist"
        case .rowInUse: "Other rows refer to this row"
        case .exclusionViolation: "The row conflicts with another row"
        case .stateUnreadable: "The stored value is not of the state's kind"
        case .preconditionFailed: "The precondition failed"
        case .bodyTooLarge: "The body is too large"
        case .urlTooLong: "The URL is too long"
        case .unsupportedMediaType: "The media type of the body is not supported"
        case .domainRule: "A rule of the domain refuses this"
        case .ownerMismatch: "The owner is another one"
        case .ownerImmutable: "The owner of a row cannot change"
        case .keyMismatch: "The key of a row cannot change"
        case .rateLimited: "Too many requests"
        case .headersTooLarge: "The headers are too large"
        case .internalError: "Internal error"
        case .storeUnavailable: "A store is not available"
        case .outcomeUnknown: "The connection broke while writing"
        case .overloaded: "Too much work is waiting"
        case .writeConflict: "Concurrent writes conflict"
        case .databaseReadOnly: "The database is read-only"
        case .lanesBehind: "The projections are too far behind"
        case .historyFull: "Too many writes wait for their history"
        case .deadlineExceeded: "The deadline has passed"
        }
    }
}
