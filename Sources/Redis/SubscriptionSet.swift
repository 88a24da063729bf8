/// Which channels are wanted and which the server has: a pure state machine.
///
/// No two commands for one channel are under way at once, so that what a confirmation is about
/// needs no guessing. Commands wait in a queue from which ``nextCommand()`` takes.
struct SubscriptionSet {
    struct Command: Equatable, Sendable {
        enum Kind: Sendable { case subscribe, unsubscribe }
        let kind: Kind
        var channels: [String]
    }

    /// What the owner does after a reply.
    enum Outcome: Equatable, Sendable {
        case none
        case confirmed(String)
        /// The server does not allow this channel; it is no longer wanted.
        case refused(String)
        /// Not a reply to what was sent: the connection is of no use.
        case violation
    }

    private enum Presence: Sendable {
        /// The server does not have it. Can go to joining.
        case out
        /// SUBSCRIBE is under way. Can go to joined, out (refused).
        case joining
        /// Can go to leaving.
        case joined
        /// UNSUBSCRIBE is under way. Can go to out.
        case leaving
    }

    private struct Channel: Sendable {
        var presence = Presence.out
        var isWanted = false
        /// It stands in the queue.
        var isQueued = false
        /// Wanted again before UNSUBSCRIBE was sent: the new wish has no confirmation yet.
        var isUnconfirmed = false
    }

    private let limits: RedisSubscriptionLimits
    private var channels: [String: Channel] = [:]
    private(set) var wantedCount = 0
    private var isConnected = false
    /// Channels to look at; each at most once.
    private var queue: [String] = []
    private var head = 0
    /// Parts of a batch that was refused as a whole.
    private var parts: [Command] = []
    /// Sent and not wholly confirmed, in order; of the first, the channels from `confirmedCount`.
    private var unconfirmed: [Command] = []
    private var confirmedCount = 0

    init(_ limits: RedisSubscriptionLimits) { self.limits = limits }

    /// - Returns: False if the limit of wanted channels would be passed: nothing was taken then.
    mutating func subscribe(_ names: [String]) -> Bool {
        if wantedCount + names.count > limits.channelCountMax {
            let more = Set(names.filter { channels[$0]?.isWanted != true })
            if wantedCount + more.count > limits.channelCountMax { return false }
        }
        for name in names {
            var channel = channels[name] ?? Channel()
            if channel.isWanted { continue }
            channel.isWanted = true
            channel.isUnconfirmed = channel.presence == .joined
            wantedCount += 1
            put(channel, name)
        }
        return true
    }

    mutating func unsubscribe(_ names: [String]) {
        for name in names {
            guard var channel = channels[name], channel.isWanted else { continue }
            channel.isWanted = false
            channel.isUnconfirmed = false
            wantedCount -= 1
            put(channel, name)
        }
    }

    /// Whether a message of this channel is for the owner.
    func delivers(_ name: String) -> Bool {
        guard let channel = channels[name] else { return false }
        return channel.isWanted && channel.presence == .joined && !channel.isUnconfirmed
    }

    /// A session has opened: everything wanted waits to be subscribed.
    mutating func connected() {
        isConnected = true
        queue = Array(channels.keys)
        head = 0
        for name in queue { channels[name]?.isQueued = true }
    }

    /// The server has nothing any more.
    mutating func disconnected() {
        isConnected = false
        queue = []
        head = 0
        parts = []
        unconfirmed = []
        confirmedCount = 0
        channels = channels.compactMapValues { old in
            old.isWanted ? Channel(isWanted: true) : nil
        }
    }

    /// Takes what is to be sent next; nil while nothing is, or too much is unconfirmed.
    ///
    /// - Parameter confirmed: Channels that are in force without another command.
    mutating func nextCommand(confirmed: inout [String]) -> Command? {
        guard isConnected, unconfirmed.count < limits.unconfirmedBatchCountMax else { return nil }
        if let part = parts.popLast() {
            unconfirmed.append(part)
            return part
        }
        var command: Command?
        while head < queue.count {
            let name = queue[head]
            guard var channel = channels[name] else {
                head += 1
                continue
            }
            let kind: Command.Kind? =
                switch channel.presence {
                case .out where channel.isWanted: .subscribe
                case .joined where !channel.isWanted: .unsubscribe
                default: nil
                }
            if let kind {
                if command == nil { command = Command(kind: kind, channels: []) }
                guard let current = command, current.kind == kind,
                    current.channels.count < limits.batchCountMax
                else { break }
                command?.channels.append(name)
                channel.presence = kind == .subscribe ? .joining : .leaving
            } else if channel.isUnconfirmed {
                channel.isUnconfirmed = false
                confirmed.append(name)
            }
            channel.isQueued = false
            head += 1
            put(channel, name)
        }
        if head == queue.count {
            queue = []
            head = 0
        }
        if let command { unconfirmed.append(command) }
        return command
    }

    /// Takes the confirmation of one channel.
    mutating func confirm(_ kind: Command.Kind, _ name: String) -> Outcome {
        guard let first = unconfirmed.first, first.kind == kind,
            first.channels[confirmedCount] == name, var channel = channels[name]
        else { return .violation }
        confirmedCount += 1
        if confirmedCount == first.channels.count { removeFirst() }
        channel.presence = kind == .subscribe ? .joined : .leaving
        if kind == .unsubscribe { channel.presence = .out }
        let isInForce = kind == .subscribe && channel.isWanted
        put(channel, name)
        return isInForce ? .confirmed(name) : .none
    }

    /// Takes an error reply: the command was refused as a whole. Its halves are tried, down to the
    /// one channel that is at fault.
    mutating func refuse() -> Outcome {
        guard let first = unconfirmed.first, first.kind == .subscribe, confirmedCount == 0 else {
            return .violation
        }
        removeFirst()
        let names = first.channels
        guard names.count == 1 else {
            let half = names.count / 2
            parts.append(Command(kind: .subscribe, channels: Array(names[half...])))
            parts.append(Command(kind: .subscribe, channels: Array(names[..<half])))
            return .none
        }
        guard var channel = channels[names[0]] else { return .violation }
        let wasWanted = channel.isWanted
        if wasWanted { wantedCount -= 1 }
        channel.presence = .out
        channel.isWanted = false
        put(channel, names[0])
        return wasWanted ? .refused(names[0]) : .none
    }

    private mutating func removeFirst() {
        unconfirmed.removeFirst()
        confirmedCount = 0
    }

    /// Keeps a channel while it is of any use, and queues it if there is something to send.
    private mutating func put(_ channel: Channel, _ name: String) {
        var channel = channel
        if isConnected && !channel.isQueued {
            let needsCommand =
                channel.presence == .out ? channel.isWanted
                : channel.presence == .joined && (!channel.isWanted || channel.isUnconfirmed)
            if needsCommand {
                queue.append(name)
                channel.isQueued = true
            }
        }
        let isUseless = !channel.isWanted && channel.presence == .out && !channel.isQueued
        channels[name] = isUseless ? nil : channel
    }
}
