internal import Redis

/// Entity tags of states: the first 16 digits of the SHA-1 of what Redis holds, which its scripts
/// can make as well. A name of a value, not a protection.
package enum StateTag {
    /// Of a text that Redis holds.
    package static func make(_ bytes: [UInt8]) -> [UInt8] {
        SHA1.digits(bytes, count: 16)
    }

    /// Of the items of a list.
    package static func make(items: [[UInt8]]) -> [UInt8] {
        var joined: [UInt8] = []
        for item in items {
            joined += Array("\(item.count):".utf8)
            joined += item
        }
        return make(joined)
    }
}
