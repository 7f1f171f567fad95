namespace Coppice.Libvirt.Wire;

/// <summary>A peer has broken the protocol. Nothing more that it sends can be understood.</summary>
public sealed class WireException : Exception
{
    /// <summary>Says what was broken.</summary>
    public WireException(string message)
        : base(message)
    {
    }

    /// <summary>Says what was broken, and by what it was found.</summary>
    public WireException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>Says nothing.</summary>
    public WireException()
    {
    }
}
