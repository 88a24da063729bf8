internal import Redis

/// The scripts that keep the fillers of a cache apart; the same for every cache.
///
/// Who finds nothing takes a token, reads PostgreSQL, and stores what it read if the token is still
/// its own: whoever deletes the value because the row changed deletes the token as well, so that
/// nothing older is stored after that. All have the keys: the value, its token.
package enum CacheScripts {
    /// The token of a key.
    package static func token(of key: String) -> String { "fourfold:fill:\(key)" }

    /// Bytes of a value: what a gateway can store at most. Larger ones are not brought here, on a
    /// connection that others share.
    static let valueByteCountMax = 16 << 20

    /// Arguments: a token, milliseconds. Answers the value, or 1 if the token is now the caller's,
    /// or 0 if it is another's. A value that is too large goes.
    static let claim = RedisScript(
        name: "cache-claim",
        source: """
            if redis.call('STRLEN', KEYS[1]) > \(valueByteCountMax) then
              redis.call('UNLINK', KEYS[1])
            end
            local value = redis.call('GET', KEYS[1])
            if value then return value end
            if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
            return 0

            """)

    /// Arguments: the token, the value, milliseconds. Answers 1, or 0 if the token is gone.
    static let fill = RedisScript(
        name: "cache-fill",
        source: """
            if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
            redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
            redis.call('DEL', KEYS[2])
            return 1

            """)

    /// Arguments: the token. Gives it back.
    static let release = RedisScript(
        name: "cache-release",
        source: """
            if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
            return 1

            """)
}
