internal import Live
internal import Redis

/// What the live lane runs in Redis. The lane's own key is a hash: `fence` (the revision that its
/// leader drew when it took over), `identity` (of the database), and the cursor.
struct LiveScripts: Sendable {
    /// `KEYS` the lane, the revisions of the configuration if there are any; `ARGV` the fence.
    /// Answers the highest revision alone where that is above the fence: another leads, or the
    /// database is an older one than Redis knew. Else raises the fence and answers the identity and
    /// the cursor.
    let open = RedisScript(
        name: "live_open",
        source: """
            local highest = tonumber(redis.call('HGET', KEYS[1], 'fence') or 0)
            if KEYS[2] then
              for _, revision in ipairs(redis.call('HVALS', KEYS[2])) do
                highest = math.max(highest, tonumber(revision) or 0)
              end
            end
            if highest > tonumber(ARGV[1]) then return {string.format('%.0f', highest)} end
            redis.call('HSET', KEYS[1], 'fence', ARGV[1])
            return redis.call('HMGET', KEYS[1], 'identity', 'done', 'goal', 'xid', 'position',
              'mark')
            """)
    /// `fence`, `identity`, cursor. Answers 0 where the fence is another.
    let place = RedisScript(
        name: "live_place",
        source: """
            if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end
            redis.call('HSET', KEYS[1], 'identity', ARGV[2], 'done', ARGV[3], 'goal', ARGV[4],
              'xid', ARGV[5], 'position', ARGV[6], 'mark', ARGV[7])
            return 1
            """)
    /// Moves the cursor, forgets caches, writes configuration and tells messages, or does nothing.
    /// `KEYS` the lane, the revisions of the configuration. `ARGV` fence, identity, the cursor
    /// before, the cursor after, the revision, the count of keys, 1 for configuration, its channel,
    /// prefix and suffix, the count of its words; then keys, words of the configuration, and
    /// channels and messages in turn.
    ///
    /// The cursor is the first write: Redis refuses that one if it can take none (no memory, a
    /// replica), and then nothing has happened. What fails later for one key must not end the rest.
    let page: RedisScript
    let configuration: RedisScript

    init(_ limits: LiveLaneLimits) {
        configuration = ConfigurationCopies.writeScript(limits.channels)
        page = RedisScript(
            name: "live_page",
            source: ChannelScript.prelude(limits.channels) + ConfigurationCopies.prelude + """
                local held = redis.call('HMGET', KEYS[1], 'fence', 'identity', 'done', 'goal',
                  'xid', 'position', 'mark')
                if not held[1] then return 'gone' end
                if held[1] ~= ARGV[1] then return 'fence' end
                for i = 2, 7 do
                  if held[i] ~= ARGV[i] then return 'cursor' end
                end
                redis.call('HSET', KEYS[1], 'done', ARGV[8], 'goal', ARGV[9], 'xid', ARGV[10],
                  'position', ARGV[11], 'mark', ARGV[12])
                local at = 20
                for i = at, at + ARGV[14] - 1 do redis.call('DEL', ARGV[i]) end
                at = at + ARGV[14]
                if ARGV[15] == '1' then
                  local entries = {}
                  for i = at, at + ARGV[19] - 1 do entries[#entries + 1] = ARGV[i] end
                  pcall(configure, KEYS[2], ARGV[13], ARGV[16], ARGV[17], ARGV[18], entries)
                end
                at = at + ARGV[19]
                for i = at, #ARGV, 2 do pcall(announce, ARGV[i], ARGV[i + 1]) end
                return 'done'
                """)
    }
}

extension LiveCursor {
    /// Five words: done, goal, xid, position, mark.
    var arguments: [RedisArgument] {
        [
            .text(lane.done), .text(lane.goal ?? ""), .text(lane.xid), .number(lane.position),
            .text(mark),
        ]
    }

    /// The identity and the cursor out of an answer of `open`; nil where there was none.
    static func stored(_ words: [RedisReply]) -> (identity: String, cursor: LiveCursor)? {
        guard words.count == 6, let identity = words[0].string, let done = words[1].string,
            let goal = words[2].string, let xid = words[3].string,
            let position = words[4].string.flatMap({ Int64($0) }), let mark = words[5].string
        else { return nil }
        let lane = LaneCursor(
            done: done, goal: goal.isEmpty ? nil : goal, xid: xid, position: position)
        return (identity, LiveCursor(lane, mark: mark))
    }
}
