namespace Coppice.Libvirt.Wire;

/// <summary>What a frame is (virnetprotocol: virNetMessageType).</summary>
public enum FrameType
{
    /// <summary>A client asks.</summary>
    Call = 0,

    /// <summary>The server answers.</summary>
    Reply = 1,

    /// <summary>Somebody tells something that nobody asked for: an event, a ping.</summary>
    Message = 2,

    /// <summary>Data of a stream.</summary>
    Stream = 3,

    /// <summary>A client asks, and hands files over.</summary>
    CallWithFiles = 4,

    /// <summary>The server answers, and hands files over.</summary>
    ReplyWithFiles = 5,

    /// <summary>Zeros of a stream, which are not sent.</summary>
    Hole = 6,
}

/// <summary>How it is (virNetMessageStatus).</summary>
public enum FrameStatus
{
    /// <summary>All is well; of a stream, it is over.</summary>
    Ok = 0,

    /// <summary>The payload is an error.</summary>
    Error = 1,

    /// <summary>Of a stream: more follows.</summary>
    Continue = 2,
}

/// <summary>What stands before the payload of every frame, six words of XDR.</summary>
/// <param name="Program">Which protocol it is of.</param>
/// <param name="Version">The version of that.</param>
/// <param name="Procedure">What is asked, answered or told.</param>
/// <param name="Type">What it is.</param>
/// <param name="Serial">The number of the call; its answer has the same. Events have one of their own.</param>
/// <param name="Status">How it is.</param>
public readonly record struct FrameHeader(uint Program, uint Version, int Procedure, FrameType Type, uint Serial, FrameStatus Status)
{
    /// <summary>Its length in bytes, without the word before it that says how long the frame is.</summary>
    public const int Length = 24;

    /// <summary>Reads one.</summary>
    /// <exception cref="WireException">There are too few bytes, or its type or status are unknown.</exception>
    public static FrameHeader Read(ref XdrReader reader)
    {
        var header = new FrameHeader(
            reader.ReadUInt32(), reader.ReadUInt32(), reader.ReadInt32(), (FrameType)reader.ReadInt32(), reader.ReadUInt32(),
            (FrameStatus)reader.ReadInt32());
        return header.Type is >= FrameType.Call and <= FrameType.Hole && header.Status is >= FrameStatus.Ok and <= FrameStatus.Continue
            ? header
            : throw new WireException($"type {(int)header.Type} with status {(int)header.Status} is no frame");
    }

    /// <summary>Writes it.</summary>
    public void Write(XdrWriter writer)
    {
        writer.Write(Program);
        writer.Write(Version);
        writer.Write(Procedure);
        writer.Write((int)Type);
        writer.Write(Serial);
        writer.Write((int)Status);
    }
}
