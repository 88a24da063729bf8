package import Redis

extension Problem {
    /// What the caller sees of an error of Redis.
    ///
    /// - Parameter isRead: Nothing can have been changed.
    package init(_ error: RedisError, isRead: Bool = false) {
        if error.mayHaveBeenApplied && !isRead {
            self = .unavailable(
                .outcomeUnknown, "Redis did not answer in time; the write may have been applied.",
                hint: "Read the state before repeating.", retryAfter: .seconds(1))
            return
        }
        switch error {
        case .unreachable, .connectionLost, .timedOut, .cancelled:
            self = Problem.ofRedis("Redis cannot be reached or is too slow.")
        case .unauthorized: self = Problem.ofRedis("Redis refuses the gateway's credentials.")
        case .overloaded:
            self = .unavailable(
                .overloaded, "The queue in front of Redis is full.",
                hint: "Nothing was done. Repeat the request later.", retryAfter: .seconds(1))
        case .commandTooLarge: self.init(.bodyTooLarge)
        case .rejected(let code): self = Problem.ofRedis(code: code)
        default: self.init(.internalError)
        }
    }

    private static func ofRedis(code: String) -> Problem {
        switch code {
        case "OOM": ofRedis("Redis has reached its memory limit and takes no writes.")
        case "READONLY": ofRedis("Redis is a read-only replica.")
        case "MISCONF": ofRedis("Redis takes no writes because it cannot save them.")
        case "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "BUSY":
            ofRedis("Redis is not ready to serve (\(code)).")
        case "NOAUTH", "NOPERM", "WRONGPASS":
            ofRedis("Redis does not allow the gateway what it needs (\(code)).")
        case "WRONGTYPE":
            Problem(
                .stateUnreadable, "Redis holds a value of another type under the key.",
                hint: "PUT or DELETE it.")
        default: Problem(.internalError)
        }
    }

    private static func ofRedis(_ detail: String) -> Problem {
        .unavailable(
            .storeUnavailable, detail, hint: "Nothing was done. Repeat the request.",
            retryAfter: .seconds(1))
    }
}
