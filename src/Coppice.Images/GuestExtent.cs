namespace Coppice.Images;

/// <summary>What a layer itself says about a range of the disk. Ranges it does not speak of are its backing file's.</summary>
public enum ExtentKind
{
    /// <summary>Stored in this image.</summary>
    Data,

    /// <summary>Stored in this image, compressed.</summary>
    Compressed,

    /// <summary>Reads as zeros, whatever the backing file holds.</summary>
    Zero,
}

/// <summary>A range of the guest's disk that a layer defines.</summary>
/// <param name="OffsetBytes">Where it starts on the guest's disk.</param>
/// <param name="LengthBytes">How long it is.</param>
/// <param name="Kind">How it is defined.</param>
public readonly record struct GuestExtent(long OffsetBytes, long LengthBytes, ExtentKind Kind);

/// <summary>How much of the guest's disk a layer defines.</summary>
/// <param name="DataBytes">Stored: what committing the layer has to write.</param>
/// <param name="CompressedBytes">Stored compressed, counted as the guest sees it.</param>
/// <param name="ZeroBytes">Defined as zeros.</param>
public readonly record struct GuestAllocation(long DataBytes, long CompressedBytes, long ZeroBytes)
{
    /// <summary>All that the layer defines.</summary>
    public long TotalBytes => DataBytes + CompressedBytes + ZeroBytes;
}
