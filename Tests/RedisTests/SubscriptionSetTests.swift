@testable import Redis
import Testing

@Suite("Which channels are wanted and which the server has")
struct SubscriptionSetTests {
    enum Step: Sendable {
        case connect, disconnect
        case want(String)
        case unwant(String)
        /// What is sent now, e.g. `+a,b` and `-c`, and `!d` for what is confirmed without.
        case sends([String])
        /// A confirmation of SUBSCRIBE or UNSUBSCRIBE and what it leads to.
        case joined(String, SubscriptionSet.Outcome)
        case left(String, SubscriptionSet.Outcome)
        case refused(SubscriptionSet.Outcome)
        /// Whether messages of a channel are for the owner.
        case delivers(String, Bool)
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let steps: [Step]
        init(_ description: String, _ steps: [Step]) {
            testDescription = description
            self.steps = steps
        }
    }

    static let cases = [
        Case("subscribe and unsubscribe", [
            .connect, .want("a"), .sends(["+a"]), .delivers("a", false),
            .joined("a", .confirmed("a")), .delivers("a", true), .unwant("a"),
            .delivers("a", false), .sends(["-a"]), .left("a", .none), .sends([]),
        ]),
        Case("wanted before there is a connection", [
            .want("a"), .sends([]), .connect, .sends(["+a"]), .joined("a", .confirmed("a")),
        ]),
        Case("wanted twice, unwanted twice", [
            .connect, .want("a"), .want("a"), .sends(["+a"]), .joined("a", .confirmed("a")),
            .want("a"), .sends([]), .unwant("a"), .unwant("a"), .sends(["-a"]),
            .left("a", .none), .unwant("a"), .sends([]),
        ]),
        Case("unwanted before it was sent", [
            .connect, .want("a"), .unwant("a"), .sends([]), .want("a"), .unwant("a"), .want("a"),
            .sends(["+a"]), .joined("a", .confirmed("a")),
        ]),
        Case("unwanted before the confirmation", [
            .connect, .want("a"), .sends(["+a"]), .unwant("a"), .sends([]),
            .joined("a", .none), .delivers("a", false), .sends(["-a"]), .left("a", .none),
            .sends([]),
        ]),
        Case("unwanted and wanted again before the confirmation", [
            .connect, .want("a"), .sends(["+a"]), .unwant("a"), .want("a"), .sends([]),
            .joined("a", .confirmed("a")), .sends([]), .delivers("a", true),
        ]),
        Case("wanted again before UNSUBSCRIBE was sent", [
            .connect, .want("a"), .sends(["+a"]), .joined("a", .confirmed("a")), .unwant("a"),
            .want("a"), .delivers("a", false), .sends(["!a"]), .delivers("a", true), .sends([]),
        ]),
        Case("wanted again before UNSUBSCRIBE was confirmed", [
            .connect, .want("a"), .sends(["+a"]), .joined("a", .confirmed("a")), .unwant("a"),
            .sends(["-a"]), .want("a"), .sends([]), .delivers("a", false), .left("a", .none),
            .sends(["+a"]), .joined("a", .confirmed("a")), .delivers("a", true),
        ]),
        Case("a reconnect subscribes what is wanted and nothing else", [
            .connect, .want("a"), .want("b"), .sends(["+a,b"]), .joined("a", .confirmed("a")),
            .unwant("b"), .disconnect, .delivers("a", false), .sends([]), .connect,
            .sends(["+a"]), .joined("a", .confirmed("a")), .sends([]),
        ]),
        Case("unwanted and wanted while there is no connection", [
            .connect, .want("a"), .sends(["+a"]), .joined("a", .confirmed("a")), .disconnect,
            .unwant("a"), .connect, .sends([]), .disconnect, .want("a"), .connect,
            .sends(["+a"]), .joined("a", .confirmed("a")),
        ]),
        Case("a reconnect during UNSUBSCRIBE", [
            .connect, .want("a"), .sends(["+a"]), .joined("a", .confirmed("a")), .unwant("a"),
            .sends(["-a"]), .disconnect, .connect, .sends([]), .want("a"), .sends(["+a"]),
            .joined("a", .confirmed("a")),
        ]),
        Case("batches of three, at most two under way", [
            .connect, .want("a"), .want("b"), .want("c"), .want("d"), .want("e"), .want("f"),
            .want("g"), .sends(["+a,b,c", "+d,e,f"]), .joined("a", .confirmed("a")),
            .joined("b", .confirmed("b")), .sends([]), .joined("c", .confirmed("c")),
            .sends(["+g"]), .joined("d", .confirmed("d")),
        ]),
        Case("both kinds in the order of the wishes", [
            .connect, .want("a"), .sends(["+a"]), .joined("a", .confirmed("a")), .unwant("a"),
            .want("b"), .sends(["-a", "+b"]), .left("a", .none), .joined("b", .confirmed("b")),
        ]),
        Case("a refused batch is halved down to the channel at fault", [
            .connect, .want("a"), .want("b"), .want("c"), .sends(["+a,b,c"]), .refused(.none),
            .sends(["+a", "+b,c"]), .joined("a", .confirmed("a")), .refused(.none),
            .sends(["+b", "+c"]), .refused(.refused("b")), .joined("c", .confirmed("c")),
            .sends([]), .delivers("b", false), .want("b"), .sends(["+b"]),
        ]),
        Case("refused and no longer wanted", [
            .connect, .want("a"), .sends(["+a"]), .unwant("a"), .refused(.none), .sends([]),
        ]),
        Case("replies that nobody asked for", [
            .connect, .joined("a", .violation), .left("a", .violation), .refused(.violation),
            .want("a"), .want("b"), .sends(["+a,b"]), .joined("b", .violation),
            .left("a", .violation), .joined("a", .confirmed("a")), .refused(.violation),
            .joined("a", .violation),
        ]),
    ]

    @Test("wishes and replies", arguments: cases)
    func steps(_ each: Case) {
        var limits = RedisSubscriptionLimits()
        limits.batchCountMax = 3
        limits.unconfirmedBatchCountMax = 2
        var set = SubscriptionSet(limits)
        for (index, step) in each.steps.enumerated() {
            let place = Comment(rawValue: "step \(index)")
            switch step {
            case .connect: set.connected()
            case .disconnect: set.disconnected()
            case .want(let name):
                let isTaken = set.subscribe([name])
                #expect(isTaken, place)
            case .unwant(let name): set.unsubscribe([name])
            case .sends(let expected):
                let actual = sent(&set)
                #expect(actual == expected, place)
            case .joined(let name, let outcome):
                let actual = set.confirm(.subscribe, name)
                #expect(actual == outcome, place)
            case .left(let name, let outcome):
                let actual = set.confirm(.unsubscribe, name)
                #expect(actual == outcome, place)
            case .refused(let outcome):
                let actual = set.refuse()
                #expect(actual == outcome, place)
            case .delivers(let name, let expected):
                #expect(set.delivers(name) == expected, place)
            }
        }
    }

    private func sent(_ set: inout SubscriptionSet) -> [String] {
        var sent: [String] = []
        var confirmed: [String] = []
        while let command = set.nextCommand(confirmed: &confirmed) {
            let sign = command.kind == .subscribe ? "+" : "-"
            sent.append(sign + command.channels.joined(separator: ","))
        }
        return sent + confirmed.map { "!" + $0 }
    }

    @Test("the wanted channels are bounded; repeats do not count")
    func bound() {
        var limits = RedisSubscriptionLimits()
        limits.channelCountMax = 2
        var set = SubscriptionSet(limits)
        var taken = [["a", "a", "b"], ["a", "b"], ["c"]].map { set.subscribe($0) }
        #expect(taken == [true, true, false])
        #expect(set.wantedCount == 2)
        set.unsubscribe(["a"])
        taken = [["c", "d"], ["c"]].map { set.subscribe($0) }
        #expect(taken == [false, true])
    }

    @Test("any mix of wishes, replies and reconnects ends with the server having what is wanted")
    func randomSteps() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            var limits = RedisSubscriptionLimits()
            limits.batchCountMax = 3
            limits.unconfirmedBatchCountMax = 2
            var model = ServerModel(SubscriptionSet(limits))
            let names = ["a", "b", "c", "d", "e", "f"]
            for _ in 0..<200 { model.step(names, &random) }
            model.settle()
            #expect(model.server == model.wanted)
            #expect(model.confirmed == model.wanted)
            #expect(model.wanted.allSatisfy(model.set.delivers))
        }
    }
}

/// A server that answers in order, and what the owner of the set believes.
private struct ServerModel {
    var set: SubscriptionSet
    var wanted: Set<String> = []
    var server: Set<String> = []
    var confirmed: Set<String> = []
    private var wire: [(SubscriptionSet.Command.Kind, String)] = []
    private var isConnected = false

    init(_ set: SubscriptionSet) { self.set = set }

    mutating func step(_ names: [String], _ random: inout some RandomNumberGenerator) {
        let name = names.randomElement(using: &random) ?? "a"
        switch Int.random(in: 0..<20, using: &random) {
        case 0: toggleConnection()
        case 1..<6:
            wanted.insert(name)
            let isTaken = set.subscribe([name])
            #expect(isTaken)
        case 6..<11:
            wanted.remove(name)
            confirmed.remove(name)
            set.unsubscribe([name])
        case 11..<15: send()
        default: if !wire.isEmpty { reply() }
        }
    }

    mutating func settle() {
        if !isConnected { toggleConnection() }
        for _ in 0..<100 {
            send()
            while !wire.isEmpty { reply() }
        }
    }

    private mutating func toggleConnection() {
        isConnected.toggle()
        wire = []
        server = []
        confirmed = []
        if isConnected { set.connected() } else { set.disconnected() }
    }

    private mutating func send() {
        var more: [String] = []
        while let command = set.nextCommand(confirmed: &more) {
            wire += command.channels.map { (command.kind, $0) }
        }
        confirmed.formUnion(more)
    }

    private mutating func reply() {
        let (kind, name) = wire.removeFirst()
        if kind == .subscribe { server.insert(name) } else { server.remove(name) }
        switch set.confirm(kind, name) {
        case .none: break
        case .confirmed(let name): confirmed.insert(name)
        case .refused, .violation: Issue.record("a regular reply was not taken")
        }
    }
}
