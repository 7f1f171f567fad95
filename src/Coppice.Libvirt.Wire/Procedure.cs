namespace Coppice.Libvirt.Wire;

/// <summary>The programs whose frames share a connection. Each is of version 1.</summary>
public static class Programs
{
    /// <summary>The version of them all.</summary>
    public const uint Version = 1;

    /// <summary>Everything but what the others are for (REMOTE_PROGRAM).</summary>
    public const uint Remote = 0x20008086;

    /// <summary>What only QEMU has (QEMU_PROGRAM).</summary>
    public const uint Qemu = 0x20008087;

    /// <summary>Finds out whether the peer is still there (KEEPALIVE_PROGRAM).</summary>
    public const uint KeepAlive = 0x6b656570;
}

/// <summary>The procedures of <see cref="Programs.KeepAlive"/>: messages without a payload, of serial 0.</summary>
public static class KeepAlive
{
    /// <summary>Are you there?</summary>
    public const int Ping = 1;

    /// <summary>Yes.</summary>
    public const int Pong = 2;
}

/// <summary>A procedure of <see cref="Programs.Remote"/>: its number, and the layouts of what is asked and answered.</summary>
public sealed record Procedure<TAsked, TAnswered>(int Number, XdrType<TAsked> Asked, XdrType<TAnswered> Answered);

/// <summary>Something that a server tells, as a <see cref="FrameType.Message"/> of <see cref="Programs.Remote"/>.</summary>
public sealed record Notice<T>(int Number, XdrType<T> Body)
{
    /// <summary>The frame that tells it. The protocol has no serial for one.</summary>
    public Frame ToFrame(T body) =>
        new(new FrameHeader(Programs.Remote, Programs.Version, Number, FrameType.Message, 0, FrameStatus.Ok), Body.Encode(body));
}
