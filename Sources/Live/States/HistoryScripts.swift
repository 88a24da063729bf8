package import Redis

/// The scripts of histories; the same for every state.
package enum HistoryScripts {
    /// Keys: the stream, the identity. Arguments: a new identity, the known one, the last id that
    /// PostgreSQL has, the greatest count and bytes of entries, the id before which all can go or
    /// nothing, then pairs of a deleted mark and its id.
    ///
    /// Answers the identity and, if it is the known one, the next entries. What is read and what it
    /// is read from are one step: Redis can lose everything between two.
    package static let next = RedisScript(
        name: "history-next",
        source: """
            local identity = redis.call('GET', KEYS[2])
            if not identity then
              identity = ARGV[1]
              redis.call('SET', KEYS[2], identity)
            end
            if identity ~= ARGV[2] then return {identity} end
            if ARGV[6] ~= '' then redis.call('XTRIM', KEYS[1], 'MINID', ARGV[6]) end
            for index = 7, #ARGV, 2 do
              if redis.call('GET', ARGV[index]) == ARGV[index + 1] then
                redis.call('PEXPIRE', ARGV[index], \(deletedMilliseconds))
              end
            end
            local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[3], '+', 'COUNT', ARGV[4])
            local bytes, found = 0, {}
            for index, entry in ipairs(entries) do
              for _, field in ipairs(entry[2]) do bytes = bytes + #field end
              if index > 1 and bytes > tonumber(ARGV[5]) then break end
              found[index] = entry
            end
            return {identity, found}

            """)

    /// Keys: the state, the mark of its delete. Arguments: a value, the greatest bytes of another.
    /// Puts the value back unless there is one or it was deleted, and answers what is there then.
    package static let restore = RedisScript(
        name: "history-restore",
        source: """
            local present = redis.call('GET', KEYS[1])
            if present and #present > tonumber(ARGV[2]) then
              return {{ok = '\(StateScripts.tooLarge)'}}
            end
            if present then return present end
            if redis.call('EXISTS', KEYS[2]) == 1 then return false end
            redis.call('SET', KEYS[1], ARGV[1])
            return ARGV[1]

            """)

    /// How long the mark of a delete stays once PostgreSQL has it: longer than any request that
    /// read PostgreSQL before.
    static let deletedMilliseconds = 600_000
}
