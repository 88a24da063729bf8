/// The static keys of services, as `FOURFOLD_SERVICE_KEYS` gives them: names and hashes, no keys.
package struct ServiceKeys: Sendable {
    private struct Entry: Sendable {
        let name: String
        /// SHA-256 of the key.
        let hash: [UInt8]
    }

    private let entries: [Entry]

    /// Greatest number of keys.
    package static let countMax = 100

    package var isEmpty: Bool { entries.isEmpty }

    /// Reads `name:hash,name:hash`, the hash being the 64 hexadecimal digits of the key's SHA-256.
    ///
    /// - Returns: nil if the text is anything else. Two keys may have one name, so that a key can
    ///   be replaced without a gap.
    package init?(_ text: String) {
        var entries: [Entry] = []
        for part in text.split(separator: ",") {
            let pieces = part.split(separator: ":", omittingEmptySubsequences: false)
            guard pieces.count == 2, !pieces[0].isEmpty,
                let hash = bytes(hexadecimal: pieces[1]), hash.count == 32
            else { return nil }
            entries.append(Entry(name: String(pieces[0]), hash: hash))
        }
        guard entries.count <= ServiceKeys.countMax else { return nil }
        self.entries = entries
    }

    /// The name of the service that owns this key.
    package func name(ofKey key: Substring) -> String? {
        let hash = SHA256.digest(Array(key.utf8))
        var found: String?
        for entry in entries where isEqualInConstantTime(entry.hash, hash) { found = entry.name }
        return found
    }
}

/// The bytes of hexadecimal digits; nil if the text is not that.
func bytes(hexadecimal text: Substring) -> [UInt8]? {
    guard text.utf8.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    var high: UInt8?
    for character in text {
        guard character.isASCII, let digit = character.hexDigitValue else { return nil }
        if let first = high {
            bytes.append(first << 4 | UInt8(digit))
            high = nil
        } else {
            high = UInt8(digit)
        }
    }
    return bytes
}
