internal import HTTPServer

/// Who asks, and for whom.
struct Caller: Sendable, Equatable {
    /// The name of the service whose key was sent; nil where no credentials are asked for.
    var service: String?
    /// The owner on whose behalf the service asks, from `Fourfold-User`; nil means all rows.
    var owner: String?

    /// Longest owner id that is taken from the header, in bytes.
    private static let ownerByteCountMax = 200

    /// - Parameter query: May hold `access_token` and `user` where the headers do not; nil where
    ///   the route takes none.
    /// - Throws: 401 without valid credentials, 400 for a malformed header.
    init(
        _ headers: HTTPRequestHeaders, query: HTTPQuery? = nil, keys: ServiceKeys
    ) throws(Problem) {
        if !keys.isEmpty {
            let authorization =
                headers["authorization"] ?? query?.first { $0.name == "access_token" }
                .map { "Bearer \($0.value)" }
            guard let name = Caller.service(authorization, keys) else {
                throw Problem(
                    .unauthenticated, "The request carries no valid service key.",
                    hint: "Send `Authorization: Bearer <key>`.",
                    headers: [.init("WWW-Authenticate", "Bearer")])
            }
            service = name
        }
        let owner = headers["fourfold-user"] ?? query?.first { $0.name == "user" }?.value
        guard let owner else { return }
        guard !owner.isEmpty, owner.utf8.count <= Caller.ownerByteCountMax else {
            throw Problem(
                .invalidHeader, "Fourfold-User must be an owner's id.",
                errors: [FieldError("Fourfold-User", "empty or too long")])
        }
        self.owner = owner
    }

    private static func service(_ authorization: String?, _ keys: ServiceKeys) -> String? {
        guard let authorization else { return nil }
        let parts = authorization.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return keys.name(ofKey: parts[1].trimmingSpaces)
    }
}
