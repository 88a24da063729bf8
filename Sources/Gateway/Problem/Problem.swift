internal import JSON

/// One field of the request and what is wrong with it.
package struct FieldError: Equatable, Sendable {
    /// A column, a parameter, or a path into the body such as `2.name`.
    package var field: String
    package var message: String

    package init(_ field: String, _ message: String) {
        self.field = field
        self.message = message
    }
}

/// A failed request as the client sees it (RFC 9457). Never holds a value of a row.
package struct Problem: Error, Equatable, Sendable {
    package var code: ProblemCode
    /// What happened this time.
    package var detail: String?
    /// What to do about it.
    package var hint: String?
    package var errors: [FieldError]
    /// Headers of the answer besides the media type, e.g. `Retry-After`, `Allow`, `ETag`.
    package var headers: [Header]

    package struct Header: Equatable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        _ code: ProblemCode,
        _ detail: String? = nil,
        hint: String? = nil,
        errors: [FieldError] = [],
        headers: [Header] = []
    ) {
        self.code = code
        self.detail = detail
        self.hint = hint
        self.errors = errors
        self.headers = headers
    }

    package var status: Int { code.status }

    package static let contentType = "application/problem+json"

    /// The body: the members of RFC 9457, and `message` and `details` for clients of PostgREST.
    ///
    /// - Parameter instance: The path of the request or its id.
    package func json(instance: String? = nil) -> [UInt8] {
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.field("type", "/docs/errors#\(code.rawValue)")
        writer.field("title", code.title)
        writer.field("status", status)
        writer.field("detail", detail ?? code.title)
        writer.field("code", code.rawValue)
        writer.field("hint", hint)
        if let instance { writer.field("instance", instance) }
        writer.key("errors")
        writer.beginArray()
        for error in errors {
            writer.beginObject()
            writer.field("field", error.field)
            writer.field("message", error.message)
            writer.endObject()
        }
        writer.endArray()
        writer.field("message", code.title)
        writer.field("details", detail ?? code.title)
        writer.endObject()
        return writer.bytes
    }

    // MARK: Common problems

    /// - Parameter allowed: The methods that this path takes, for `Allow`.
    package static func methodNotAllowed(
        _ code: ProblemCode = .methodNotAllowed,
        allowed: [String]
    ) -> Problem {
        let methods = allowed.joined(separator: ", ")
        return Problem(
            code,
            hint: "Allowed here: \(methods).",
            headers: [Header("Allow", methods)]
        )
    }

    /// - Parameter etag: The row's present entity tag, not quoted; nil where there is no row.
    package static func preconditionFailed(etag: String?) -> Problem {
        Problem(
            .preconditionFailed,
            etag == nil
                ? "There is no row that If-Match could match."
                : "The row is not in the state that the request expects.",
            hint: "Read the row again and repeat the write with its present ETag.",
            headers: etag.map { [Header("ETag", "\"\($0)\"")] } ?? []
        )
    }

    /// An answer that must be one row has none or several.
    ///
    /// - Parameter isLowerBound: Counting stopped at `rowCount`.
    package static func notSingular(rowCount: Int, isLowerBound: Bool = false) -> Problem {
        Problem(
            .notSingular,
            "The result contains \(rowCount)\(isLowerBound ? " or more" : "") rows",
            hint: "Narrow the filter to one row or accept application/json."
        )
    }

    /// - Parameter retryAfter: Whole seconds are sent, rounded up, at least 1.
    package static func unavailable(
        _ code: ProblemCode,
        _ detail: String? = nil,
        hint: String? = nil,
        retryAfter: Duration
    ) -> Problem {
        let (seconds, attoseconds) = retryAfter.components
        let whole = max(1, attoseconds > 0 ? seconds + 1 : seconds)
        return Problem(
            code,
            detail,
            hint: hint,
            headers: [Header("Retry-After", String(whole))]
        )
    }
}
