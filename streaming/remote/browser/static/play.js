"use strict";
// A browser as camera, microphone, screen and speaker of a show. Two connections: one sends, the other gets.
const at = (id) => document.getElementById(id);
const RETRY_MS = 1000, GATHER_MS = 1000, STATS_MS = 1000;
const say = (line) => { at("line").textContent = line; };
const has = { camera: false, microphone: false, screen: false, speaker: false };
let own = null;
let playing = false;
let meter = null;

class Connection {
  // One connection that is made again for as long as it is wanted.
  constructor(place, prepare, told) {
    this.place = place; this.prepare = prepare; this.told = told;
    this.peer = null; this.address = ""; this.wanted = false;
  }

  start() { this.wanted = true; this.connect(); }

  async connect() {
    this.drop();
    const peer = this.peer = new RTCPeerConnection();
    this.prepare(peer);
    peer.onconnectionstatechange = () => {
      if (peer !== this.peer) return;
      this.told(peer.connectionState);
      if (["failed", "disconnected", "closed"].includes(peer.connectionState)) this.again();
    };
    try {
      await peer.setLocalDescription(await peer.createOffer());
      await gathered(peer);
      const answer = await fetch(this.place, {
        method: "POST", headers: { "Content-Type": "application/sdp" }, body: peer.localDescription.sdp,
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(text.trim());
      const address = answer.headers.get("Location");
      // It may have been stopped, or begun again, while the answer was on its way.
      if (peer !== this.peer) return end(address);
      this.address = address;
      await peer.setRemoteDescription({ type: "answer", sdp: text });
    } catch (error) {
      if (peer !== this.peer) return;
      say(error.message);
      this.again();
    }
  }

  again() {
    clearTimeout(this.timer);
    if (this.wanted) this.timer = setTimeout(() => this.connect(), RETRY_MS);
  }

  drop() {
    if (this.peer) { this.peer.onconnectionstatechange = null; this.peer.close(); this.peer = null; }
    if (this.address) end(this.address);
    this.address = "";
  }

  stop() { this.wanted = false; clearTimeout(this.timer); this.drop(); this.told("–"); }
}

function end(address) { fetch(address, { method: "DELETE", keepalive: true }).catch(() => {}); }

function gathered(peer) {
  return new Promise((done) => {
    if (peer.iceGatheringState === "complete") return done();
    peer.onicegatheringstatechange = () => { if (peer.iceGatheringState === "complete") done(); };
    setTimeout(done, GATHER_MS);
  });
}

const sender = new Connection("/whip", (peer) => {
  for (const track of own.getTracks()) peer.addTransceiver(track, { direction: "sendonly", streams: [own] });
}, (state) => { at("sending").textContent = state; });

const getter = new Connection("/whep", (peer) => {
  const stream = new MediaStream();
  if (has.screen) peer.addTransceiver("video", { direction: "recvonly" });
  if (has.speaker) peer.addTransceiver("audio", { direction: "recvonly" });
  peer.ontrack = (event) => {
    // The least delay that the browser can do: it grows by itself where the network needs it.
    if ("jitterBufferTarget" in event.receiver) event.receiver.jitterBufferTarget = 0;
    if ("playoutDelayHint" in event.receiver) event.receiver.playoutDelayHint = 0;
    stream.addTrack(event.track);
    at("show").srcObject = stream;
    at("show").play().catch(() => {});
    if (event.track.kind === "audio") listen(new MediaStream([event.track]));
  };
}, (state) => { at("getting").textContent = state; });

function listen(stream) {
  // Only measures: what is heard comes from the video element.
  if (!meter) return;
  meter.source?.disconnect();
  meter.source = meter.context.createMediaStreamSource(stream);
  meter.source.connect(meter.analyser);
}

async function openDevices() {
  const echo = at("echo").checked;
  const wanted = {
    video: has.camera && {
      width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 30 }, deviceId: at("camera").value || undefined,
    },
    audio: has.microphone && {
      // What is played is music: the browser is not to treat it as speech.
      echoCancellation: echo, noiseSuppression: false, autoGainControl: false, channelCount: 1,
      deviceId: at("microphone").value || undefined,
    },
  };
  own?.getTracks().forEach((track) => track.stop());
  own = await navigator.mediaDevices.getUserMedia(wanted);
  own.getVideoTracks().forEach((track) => { track.contentHint = "motion"; });
  own.getAudioTracks().forEach((track) => { track.contentHint = "music"; });
  at("own").srcObject = own;
  at("own").classList.toggle("on", own.getVideoTracks().length > 0);
  await listDevices();
}

async function listDevices() {
  const found = await navigator.mediaDevices.enumerateDevices();
  for (const [id, kind, wanted] of [["camera", "videoinput", has.camera], ["microphone", "audioinput", has.microphone]]) {
    const list = at(id), chosen = list.value;
    list.replaceChildren(...found.filter((one) => one.kind === kind).map((one) => new Option(one.label || kind, one.deviceId)));
    if ([...list.options].some((one) => one.value === chosen)) list.value = chosen;
    at(`${id}-label`).hidden = !wanted || list.options.length < 2;
  }
}

async function play() {
  playing = true;
  at("start").textContent = "Stop";
  try {
    if (!meter) {
      const context = new AudioContext();
      meter = { context, analyser: context.createAnalyser(), source: null };
    }
    await meter.context.resume();
    at("show").muted = false;
    if (has.camera || has.microphone) {
      if (!navigator.mediaDevices) {
        throw new Error("the browser gives camera and microphone to this machine's own page or to https alone");
      }
      await openDevices();
      sender.start();
    }
    if (has.screen || has.speaker) getter.start();
    say("");
  } catch (error) {
    say(`${error.name}: ${error.message}`);
    stop();
  }
}

function stop() {
  playing = false;
  at("start").textContent = "Play";
  sender.stop();
  getter.stop();
  own?.getTracks().forEach((track) => track.stop());
  own = null;
  at("own").classList.remove("on");
}

function level() {
  const samples = new Float32Array(meter.analyser.fftSize);
  meter.analyser.getFloatTimeDomainData(samples);
  const power = samples.reduce((sum, one) => sum + one * one, 0) / samples.length;
  return power > 0 ? `${Math.round(10 * Math.log10(power))} dB` : "silent";
}

async function measure() {
  if (meter) at("level").textContent = meter.source ? level() : "–";
  if (!getter.peer && !sender.peer) return;
  let roundTrip = 0, buffer = 0;
  for (const one of [getter, sender]) {
    for (const row of (await one.peer?.getStats())?.values() ?? []) {
      if (row.type === "candidate-pair" && row.nominated) roundTrip = Math.max(roundTrip, row.currentRoundTripTime || 0);
      if (row.type === "inbound-rtp" && row.jitterBufferEmittedCount) {
        const last = measure[row.id] || { delay: 0, count: 0 };
        const now = measure[row.id] = { delay: row.jitterBufferDelay, count: row.jitterBufferEmittedCount };
        if (now.count > last.count) buffer = Math.max(buffer, (now.delay - last.delay) / (now.count - last.count));
      }
    }
  }
  at("delay").textContent = `network ${(1000 * roundTrip / 2).toFixed(0)} ms, buffer ${(1000 * buffer).toFixed(0)} ms`;
}

async function begin() {
  const kinds = (await (await fetch("/play/kinds")).json()).kinds ?? [];
  for (const kind of Object.keys(has)) has[kind] = kinds.includes(kind);
  document.querySelector("main").classList.toggle("alone", !has.screen);
  at("echo-label").hidden = !(has.microphone && has.speaker);
  if (!kinds.length) say("No device of this show is a browser. Start it with --camera browser --microphone browser --speaker browser --screen browser.");
  at("start").disabled = !kinds.length;
  at("start").onclick = () => (playing ? stop() : play());
  at("fill").onclick = () => document.querySelector("main").requestFullscreen();
  for (const id of ["camera", "microphone", "echo"]) at(id).onchange = () => { if (playing) play(); };
  addEventListener("pagehide", () => { sender.drop(); getter.drop(); });
  setInterval(() => measure().catch(() => {}), STATS_MS);
}

begin().catch((error) => say(`${error.name}: ${error.message}`));
