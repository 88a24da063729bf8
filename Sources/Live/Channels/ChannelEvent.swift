/// One message of a channel, encoded once for all who listen.
package final class ChannelEvent: Sendable {
    package let channel: String
    /// Its place among the messages of all channels; 0 for one that another client published.
    package let id: UInt64
    /// As it goes to the listeners.
    package let bytes: [UInt8]

    package init(channel: String, id: UInt64, message: [UInt8]) {
        self.channel = channel
        self.id = id
        bytes = ServerSentEvent.encode(id: id, event: channel, data: message)
    }
}
