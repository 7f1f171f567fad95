namespace Coppice.Core;

/// <summary>
/// Something in a definition that changes what the guest sees and that Coppice does not know. A domain with an obstacle is
/// defined but not started: its memory images could not be trusted.
/// </summary>
/// <param name="Path">The element or attribute, e.g. <c>devices/hostdev</c> or <c>devices/disk[2]/driver/@queues</c>.</param>
/// <param name="Reason">Why it prevents a start.</param>
/// <param name="NextStep">What the user can do.</param>
public sealed record Obstacle(string Path, string Reason, string NextStep);
