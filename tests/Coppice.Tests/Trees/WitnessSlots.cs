using System.Buffers.Binary;
using Coppice.Core;

namespace Coppice.Tests.Trees;

/// <summary>
/// What the witness wrote to a disk (lab/guest/README.md, "On the disks"), read from its images: no guest need boot to tell whether
/// a write that it was told is safe is still there.
/// </summary>
/// <param name="Highest">The last sequence; 0 if there is none.</param>
/// <param name="Missing">Sequences below it that are not in their slot although this run of the writer put them there.</param>
/// <param name="Torn">Records that are not whole.</param>
internal sealed record WitnessSlots(long Highest, int Missing, int Torn)
{
    private const int Slots = 256, Record = 4096;
    private const long At = 2 << 20;
    private const ulong Step = 0x9e3779b97f4a7c15;
    private const int FirstAt = 16, SequenceAt = 24, BodyAt = 32, CrcAt = Record - 8;

    public static WitnessSlots Read(string path, ImageFormat format)
    {
        using var disk = GuestDisk.Open(path, format);
        var (sequences, first, torn) = (new long[Slots], 0L, 0);
        var record = new byte[Record];
        for (var slot = 0; slot < Slots; slot++)
        {
            if (!disk.Read(At + (slot * Record), record) || !record.AsSpan(0, 8).SequenceEqual("WITNESS1"u8))
            {
                continue;
            }

            sequences[slot] = BinaryPrimitives.ReadInt64LittleEndian(record.AsSpan(SequenceAt));
            torn += IsWhole(record) ? 0 : 1;
            if (sequences[slot] == sequences.Max())
            {
                first = BinaryPrimitives.ReadInt64LittleEndian(record.AsSpan(FirstAt));
            }
        }

        var highest = sequences.Max();
        var missing = 0;
        for (var sequence = Math.Max(Math.Max(first, 1), highest - Slots + 1); sequence <= highest; sequence++)
        {
            missing += sequences[sequence % Slots] == sequence ? 0 : 1;
        }

        return new WitnessSlots(highest, missing, torn);
    }

    private static bool IsWhole(byte[] record)
    {
        var sequence = BinaryPrimitives.ReadUInt64LittleEndian(record.AsSpan(SequenceAt));
        for (var at = BodyAt; at < CrcAt; at += sizeof(ulong))
        {
            var expected = unchecked((sequence + (ulong)((at - BodyAt) / sizeof(ulong))) * Step);
            if (BinaryPrimitives.ReadUInt64LittleEndian(record.AsSpan(at)) != expected)
            {
                return false;
            }
        }

        return true;
    }
}
