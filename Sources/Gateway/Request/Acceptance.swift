internal import HTTPServer

/// Which form of a collection's answer the client accepts.
enum Acceptance: Sendable {
    /// A JSON array.
    case array
    /// One object; PostgREST's name for it.
    case object

    private static let objectTypes = [
        "application/vnd.pgrst.object+json", "application/vnd.pgrst.object",
    ]
    private static let arrayTypes = [
        "application/json", "application/*", "*/*", "application/problem+json",
        "application/vnd.pgrst.array+json", "application/vnd.pgrst.array", "text/json",
    ]

    /// - Throws: 406 if neither is accepted.
    init(_ headers: HTTPRequestHeaders) throws(Problem) {
        guard let header = headers["accept"] else {
            self = .array
            return
        }
        for part in header.split(separator: ",") {
            let type = (part.split(separator: ";").first ?? "").trimmingSpaces.lowercased()
            if Acceptance.objectTypes.contains(type) {
                self = .object
                return
            }
            if Acceptance.arrayTypes.contains(type) {
                self = .array
                return
            }
        }
        throw Problem(
            .notAcceptable, "The answer is JSON.",
            hint: "Accept application/json, or application/vnd.pgrst.object+json for one row.")
    }
}
