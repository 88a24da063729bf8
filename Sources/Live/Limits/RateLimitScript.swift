internal import Redis

/// The counting itself: the generic cell rate algorithm (GCRA) over several limits at once, in one
/// step.
///
/// A key holds the time at which its allowance is full again, in microseconds of Redis' clock, so
/// that all gateways count by the same clock, and expires by itself at that time.
enum RateLimitScript {
    /// Keys: one a limit. Arguments: for each its interval in microseconds and its request count.
    ///
    /// Answers 1 where one of the limits refuses (then nothing is counted), else 0; then for each
    /// limit the requests left, the microseconds until it is full, and those until it allows.
    static let script = RedisScript(name: "rate_limit", source: source)

    private static let source = """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local refused = false
        local limits = {}
        for place, key in ipairs(KEYS) do
          local interval = tonumber(ARGV[place * 2 - 1])
          local burst = interval * tonumber(ARGV[place * 2])
          local full = tonumber(redis.call('GET', key))
          if not full or full ~= full then full = now end
          full = math.max(full, now)
          -- A clock that was set back must not refuse for longer than an empty allowance: what is
          -- kept has to come nearer from now on, also while all is refused.
          if full > now + burst then
            full = now + burst
            redis.call('SET', key, string.format('%.0f', full), 'PX', math.ceil(burst / 1000))
          end
          local wait = math.max(full + interval - burst - now, 0)
          limits[place] = {interval, burst, full, wait}
          refused = refused or wait > 0
        end
        local answer = {refused and 1 or 0}
        for place, key in ipairs(KEYS) do
          local interval, burst, full, wait = unpack(limits[place])
          if not refused then
            full = full + interval
            local expiry = math.ceil((full - now) / 1000)
            redis.call('SET', key, string.format('%.0f', full), 'PX', expiry)
          end
          answer[#answer + 1] = math.floor((burst - (full - now)) / interval)
          answer[#answer + 1] = full - now
          answer[#answer + 1] = wait
        end
        return answer
        """
}
