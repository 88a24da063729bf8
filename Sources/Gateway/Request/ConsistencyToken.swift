/// What a write returns and any read accepts: its transaction, in which life of the database.
///
/// Opaque to callers; written as `<xid>.<origin>`, both hexadecimal.
package struct ConsistencyToken: Sendable, Equatable {
    /// `pg_current_xact_id()` of the write.
    package let xid: UInt64
    /// A hash of the database's system identifier and timeline: after a restore, transaction ids
    /// begin again and mean something else.
    package let origin: UInt32

    package init(xid: UInt64, origin: UInt32) {
        self.xid = xid
        self.origin = origin
    }

    /// - Returns: nil if the text was never one of our tokens.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= 32,
            parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isHexDigit) }),
            let xid = UInt64(parts[0], radix: 16), let origin = UInt32(parts[1], radix: 16)
        else { return nil }
        self.init(xid: xid, origin: origin)
    }

    package var text: String { String(xid, radix: 16) + "." + String(origin, radix: 16) }

    /// The origin for a database (FNV-1a over both numbers).
    package static func origin(systemIdentifier: UInt64, timeline: UInt32) -> UInt32 {
        var hash: UInt32 = 2_166_136_261
        for shift in stride(from: UInt64(0), to: 64, by: 8) {
            hash = (hash ^ UInt32(systemIdentifier >> shift & 0xFF)) &* 16_777_619
        }
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            hash = (hash ^ (timeline >> shift & 0xFF)) &* 16_777_619
        }
        return hash
    }
}
