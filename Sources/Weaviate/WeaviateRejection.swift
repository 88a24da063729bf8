/// What a message of the server means for the call or the object that got it.
///
/// The server has no error codes; transient states come as 500 or inside a batch's 200, so the text
/// is classified. The text itself is dropped: it can quote values.
package struct WeaviateRejection: Equatable, Sendable {
    package enum Kind: Sendable {
        /// The same call may succeed: read-only shard, memory, leader change, timeout, ….
        case transient
        /// A text we do not know: few retries, then park.
        case unclassified
        case alreadyExists
        case notFound
        case tooLarge
        /// Wrong for good: park.
        case permanent
    }

    /// Stable, safe as a metric label and in a parked row.
    package let code: String
    package let kind: Kind

    package init(code: String, kind: Kind) {
        self.code = code
        self.kind = kind
    }

    package var isRetryable: Bool { kind == .transient || kind == .unclassified }

    private struct Pattern: Sendable {
        let words: [String]
        let rejection: WeaviateRejection

        init(_ words: [String], _ code: String, _ kind: Kind) {
            self.words = words
            rejection = WeaviateRejection(code: code, kind: kind)
        }
    }

    /// First match wins. Permanent ones stand first, because they may quote a value that reads like
    /// a transient one.
    private static let patterns: [Pattern] = [
        Pattern(["no such prop"], "unknown_property", .permanent),
        Pattern(["not present in schema"], "unknown_class", .permanent),
        Pattern(["could not find class"], "unknown_class", .permanent),
        Pattern(["cannot query field"], "unknown_class_or_property", .permanent),
        Pattern(["invalid", "property"], "invalid_property", .permanent),
        Pattern(["id", "uuid"], "invalid_id", .permanent),
        Pattern(["vector", "length"], "vector_length_mismatch", .permanent),
        Pattern(["vector", "dimension"], "vector_length_mismatch", .permanent),
        Pattern(["already exists"], "already_exists", .alreadyExists),
        Pattern(["read-only"], "read_only", .transient),
        Pattern(["readonly"], "read_only", .transient),
        Pattern(["not enough memory"], "out_of_memory", .transient),
        Pattern(["deadline"], "timeout", .transient),
        Pattern(["timeout"], "timeout", .transient),
        Pattern(["connection refused"], "vectorizer_unreachable", .transient),
        Pattern(["429"], "too_many_requests", .transient),
        Pattern(["leader"], "no_leader", .transient),
    ]

    /// What the text of an error means, inside a batch or beside a status.
    package static func classify(_ message: String) -> WeaviateRejection {
        let text = message.lowercased()
        let match = patterns.first { pattern in
            pattern.words.allSatisfy { text.contains(bytesOf: $0) }
        }
        return match?.rejection ?? WeaviateRejection(code: "unclassified", kind: .unclassified)
    }

    /// What a status that is no success means; the text decides where the status does not.
    package static func classify(status: Int, _ message: String) -> WeaviateRejection {
        switch status {
        case 404: return WeaviateRejection(code: "not_found", kind: .notFound)
        case 413: return WeaviateRejection(code: "request_too_large", kind: .tooLarge)
        case 429: return WeaviateRejection(code: "too_many_requests", kind: .transient)
        default: break
        }
        let rejection = classify(message)
        if status < 500 && rejection.kind == .unclassified {
            return WeaviateRejection(code: "rejected_\(status)", kind: .permanent)
        }
        return rejection
    }
}
