using System.Runtime.InteropServices;

namespace Coppice.Images;

/// <summary>What the file system calls a file: equal for two names (hard links) of one file.</summary>
/// <param name="Device">Major number in the upper 32 bits, minor in the lower.</param>
/// <param name="Inode">The inode number on that device.</param>
public readonly record struct FileIdentity(ulong Device, ulong Inode);

/// <summary>The <c>S_IFMT</c> values of inode(7).</summary>
internal enum FileType
{
    Fifo = 0x1000,
    CharacterDevice = 0x2000,
    Folder = 0x4000,
    BlockDevice = 0x6000,
    Regular = 0x8000,
    Socket = 0xC000,
}

/// <summary>The fields of <c>struct statx</c> that are used. Unlike <c>struct stat</c> it has one layout everywhere.</summary>
internal readonly record struct FileStatus(FileType Type, FileIdentity Identity, int HardLinks, long LengthBytes)
{
    public const int SizeBytes = 256;

    public static FileStatus Parse(ReadOnlySpan<byte> raw)
    {
        var major = MemoryMarshal.Read<uint>(raw[136..]);
        var minor = MemoryMarshal.Read<uint>(raw[140..]);
        return new FileStatus(
            (FileType)(MemoryMarshal.Read<ushort>(raw[28..]) & 0xF000),
            new FileIdentity(((ulong)major << 32) | minor, MemoryMarshal.Read<ulong>(raw[32..])),
            (int)Math.Min(MemoryMarshal.Read<uint>(raw[16..]), int.MaxValue),
            (long)Math.Min(MemoryMarshal.Read<ulong>(raw[40..]), long.MaxValue));
    }

    public string Describe() => Type switch
    {
        FileType.Fifo => "a FIFO",
        FileType.CharacterDevice => "a character device",
        FileType.BlockDevice => "a block device",
        FileType.Folder => "a folder",
        FileType.Socket => "a socket",
        FileType.Regular => "a regular file",
        _ => "of an unknown type",
    };
}
