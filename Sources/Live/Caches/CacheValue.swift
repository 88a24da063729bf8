internal import JSON

/// A value that is read through Redis.
package struct CacheValue: Sendable {
    package let json: [UInt8]
    /// Whose it is; nil for everybody's.
    package let owner: String?
    /// Redis is away: it is as PostgreSQL has it, and nobody keeps it.
    package var isDegraded = false

    /// - Parameter ownerMember: The member of the value that holds the owner.
    /// - Returns: nil for what no gateway stored.
    package init?(stored bytes: [UInt8], ownerMember: String?) {
        guard let document = try? JSONDocument.parse(bytes) else { return nil }
        json = bytes
        owner = ownerMember.flatMap { document.root[$0]?.string }
    }

    init(json: [UInt8], owner: String?, isDegraded: Bool) {
        self.json = json
        self.owner = owner
        self.isDegraded = isDegraded
    }
}
